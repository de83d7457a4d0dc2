import type { Pointer } from './ort-api.ts'
import { obtain, type Runtime } from './runtime.ts'

/** f32, i32 and i64; bytes are booleans. */
export type TensorData = Float32Array | Int32Array | BigInt64Array | Uint8Array

/** `ONNXTensorElementDataType` of the header. */
function elementType(data: TensorData): number {
  if (data instanceof Float32Array) return 1
  if (data instanceof Int32Array) return 6
  return data instanceof BigInt64Array ? 7 : 9
}

/**
 * A tensor over memory of ours, which the runtime reads and writes in place.
 *
 * The runtime does not keep `data` alive: this object does, so it must live as long as any binding that names it.
 */
export class NativeTensor<Data extends TensorData = TensorData> implements Disposable {
  readonly pointer: Pointer
  readonly data: Data
  readonly #runtime: Runtime
  #released = false

  constructor(runtime: Runtime, data: Data, shape: readonly number[]) {
    this.#runtime = runtime
    this.data = data
    const { api, cpuMemory } = runtime
    const dimensions = BigInt64Array.from(shape, BigInt)
    const type = elementType(data)
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
