import { NativeHandle } from './native-handle.ts'
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
 * The runtime does not keep `data` alive: this object does, and every binding that names it keeps this object.
 */
export class NativeTensor<Data extends TensorData = TensorData> implements Disposable {
  readonly handle: NativeHandle
  readonly data: Data

  /** @param whenFreed called once neither the owner nor a binding has it any more */
  constructor(runtime: Runtime, data: Data, shape: readonly number[], whenFreed?: () => void) {
    this.data = data
    const { api, cpuMemory } = runtime
    const dimensions = BigInt64Array.from(shape, BigInt)
    const type = elementType(data)
    const pointer = obtain(api, 'create a tensor', out =>
      api.createTensorWithDataAsOrtValue(cpuMemory, data, data.byteLength, dimensions, shape.length, type, out)
    )
    this.handle = new NativeHandle(pointer, () => {
      api.releaseValue(pointer)
      whenFreed?.()
    })
  }

  [Symbol.dispose](): void {
    this.handle[Symbol.dispose]()
  }
}
