import { modelInvalid } from '@resultity/interface'

/** Whole numbers of a file of NumPy, row by row. */
export interface NumpyArray {
  readonly shape: readonly number[]
  readonly values: Float64Array
}

const MAGIC = '\x93NUMPY'
const HEADER_BYTES_MAX = 4096
/** What models say with whole numbers is small. */
export const NUMPY_VALUES_MAX = 1_048_576

const description = /^\{'descr': '([<|][a-z]\d)', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\),? *\}\s*$/

const readers: Readonly<Record<string, { bytes: number; read: (view: DataView, at: number) => number }>> = {
  '|u1': { bytes: 1, read: (view, at) => view.getUint8(at) },
  '|i1': { bytes: 1, read: (view, at) => view.getInt8(at) },
  '<u2': { bytes: 2, read: (view, at) => view.getUint16(at, true) },
  '<i2': { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  '<u4': { bytes: 4, read: (view, at) => view.getUint32(at, true) },
  '<i4': { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  '<u8': { bytes: 8, read: (view, at) => Number(view.getBigUint64(at, true)) },
  '<i8': { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)) }
}

/**
 * Reads an array of whole numbers in NumPy's own format (NEP 1). Arrays of objects, which are pickles, are refused as all else is.
 *
 * @param name for errors
 * @throws MeshError `model_invalid`
 */
export function readNumpyArray(name: string, bytes: Uint8Array): NumpyArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { text, end } = readHeader(name, bytes, view)
  const [, type = '', fortran, sizes = ''] = description.exec(text) ?? []
  const reader = Object.hasOwn(readers, type) ? readers[type] : undefined
  if (reader === undefined) throw modelInvalid(name, 'is no array of whole numbers as NumPy writes it')
  const shape = sizes
    .split(',')
    .filter(size => size.trim() !== '')
    .map(Number)
  const count = shape.reduce((product, size) => product * size, 1)
  if (count > NUMPY_VALUES_MAX || shape.length > 4)
    throw modelInvalid(name, `has ${count} numbers, the limit is ${NUMPY_VALUES_MAX}`)
  if (bytes.byteLength - end !== count * reader.bytes)
    throw modelInvalid(name, `has not the ${count} numbers that its shape implies`)
  const values = new Float64Array(count)
  for (let index = 0; index < count; index++) {
    const target = fortran === 'True' ? transposed(index, shape) : index
    values[target] = reader.read(view, end + index * reader.bytes)
  }
  return { shape, values }
}

function readHeader(name: string, bytes: Uint8Array, view: DataView): { text: string; end: number } {
  const begins = bytes.byteLength >= 12 && Buffer.from(bytes.subarray(0, 6)).toString('latin1') === MAGIC
  if (!begins) throw modelInvalid(name, 'is no file of NumPy')
  // the first version has 16 bits for the length, later ones 32
  const start = bytes[6] === 1 ? 10 : 12
  const length = start === 10 ? view.getUint16(8, true) : view.getUint32(8, true)
  const end = start + length
  if (length > HEADER_BYTES_MAX || end > bytes.byteLength) throw modelInvalid(name, 'has a header that is too long')
  return { text: Buffer.from(bytes.subarray(start, end)).toString('latin1'), end }
}

/** Where a number stands row by row that stands at `index` column by column. */
function transposed(index: number, shape: readonly number[]): number {
  let [left, target] = [index, 0]
  const steps = shape.map((_, at) => shape.slice(at + 1).reduce((product, size) => product * size, 1))
  for (const [at, size] of shape.entries()) {
    target += (left % size) * (steps[at] ?? 1)
    left = Math.floor(left / size)
  }
  return target
}
