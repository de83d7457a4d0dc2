import { MeshError } from '@resultity/interface'
import koffi from 'koffi'
import type { Pointer } from './ort-api.ts'
import { check, obtain, type Runtime } from './runtime.ts'

/** `ONNXTensorElementDataType` of the header. */
const FLOAT32 = 1

/**
 * Takes the only output of a run whose memory the runtime allocated: copies it, and frees what the runtime made.
 *
 * @param binding of a run that is over
 * @throws MeshError `engine_failed` where there is another number of outputs, or it is no f32 of at most `lengthMax` numbers
 */
export function takeOnlyOutput(runtime: Runtime, binding: Pointer, lengthMax: number): Float32Array<ArrayBuffer> {
  const { api } = runtime
  const allocator = obtain(api, 'find the allocator', out => api.getAllocatorWithDefaultOptions(out))
  const count = new BigUint64Array(1)
  const list = obtain(api, 'take the outputs', out => api.getBoundOutputValues(binding, allocator, out, count))
  const values: Pointer[] = koffi.decode(list, koffi.array('void *', Number(count[0] ?? 0n)))
  try {
    const [value, ...others] = values
    if (value === undefined || others.length > 0) {
      throw new MeshError('engine_failed', `the graph gave ${values.length} outputs, one was asked for`)
    }
    return copyOf(runtime, value, lengthMax)
  } finally {
    for (const value of values) api.releaseValue(value)
    check(api, 'free the list of outputs', api.allocatorFree(allocator, list))
  }
}

function copyOf({ api }: Runtime, value: Pointer, lengthMax: number): Float32Array<ArrayBuffer> {
  const info = obtain(api, 'see the shape of an output', out => api.getTensorTypeAndShape(value, out))
  const type = new Int32Array(1)
  const count = new BigUint64Array(1)
  try {
    check(api, 'see the type of an output', api.getTensorElementType(info, type))
    check(api, 'see the size of an output', api.getTensorShapeElementCount(info, count))
  } finally {
    api.releaseTensorTypeAndShapeInfo(info)
  }
  const length = Number(count[0] ?? 0n)
  if (type[0] !== FLOAT32 || length > lengthMax) {
    throw new MeshError(
      'engine_failed',
      `the graph gave ${length} numbers of type ${type[0]}, at most ${lengthMax} are taken`
    )
  }
  const copy = new Float32Array(length)
  if (length === 0) return copy
  const data = obtain(api, 'read an output', out => api.getTensorMutableData(value, out))
  copy.set(new Float32Array(koffi.view(data, length * Float32Array.BYTES_PER_ELEMENT)))
  return copy
}
