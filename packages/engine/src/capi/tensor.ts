import type { Pointer } from './ort-api.ts'
import { obtain, type Runtime } from './runtime.ts'

/** `ONNXTensorElementDataType` of the header. */
const FLOAT32 = 1
const INT32 = 6

export type TensorData = Float32Array | Int32Array

/**
 * A tensor over memory of ours, which the runtime reads and writes in place.
 *
 * The runtime does not keep `data` alive: this object does, so it must live as long as any binding that names it.
 */
export class NativeTensor implements Disposable {
  readonly pointer: Pointer
  readonly data: TensorData
  readonly #runtime: Runtime
  #released = false

  constructor(runtime: Runtime, data: TensorData, shape: readonly number[]) {
    this.#runtime = runtime
    this.data = data
    const { api, cpuMemory } = runtime
    const dimensions = BigInt64Array.from(shape, BigInt)
    const type = data instanceof Float32Array ? FLOAT32 : INT32
    this.pointer = obtain(api, 'create a tensor', out =>
      api.createTensorWithDataAsOrtValue(cpuMemory, data, data.byteLength, dimensions, shape.length, type, out)
    )
  }

  [Symbol.dispose](): void {
    if (this.#released) return
    this.#released = true
    this.#runtime.api.releaseValue(this.pointer)
  }
}
