import { dequantize, type SourceTensor } from '@resultity/formats'
import { modelInvalid } from '@resultity/interface'

/** A bias that a model has not: the sum is what it was. */
export function zeroVector(name: string, size: number): SourceTensor {
  return floats(name, 1, size, (_first, count) => new Float32Array(count * size))
}

/** Rows `[first, first + count)` of a matrix. */
export function rowsOf(tensor: SourceTensor, first: number, count: number): SourceTensor {
  return {
    name: tensor.name,
    encoding: tensor.encoding,
    rows: count,
    columns: tensor.columns,
    rowBytes: tensor.rowBytes,
    read: (at, rows) => tensor.read(first + at, rows)
  }
}

/** Numbers `[first, first + count)` of a vector. */
export function partOf(tensor: SourceTensor, first: number, count: number): SourceTensor {
  return floats(tensor.name, 1, count, () => dequantize(tensor.encoding, tensor.read(0, 1)).slice(first, first + count))
}

/**
 * The weights of a convolution that are published apart, as a direction and a length (weight normalization, Salimans & Kingma,
 * arXiv:1602.07868): `length · direction / ‖direction‖` for each of the outermost dimension.
 *
 * @param direction its rows are those of all outer dimensions
 * @param lengths one for each of the outermost
 * @param outer size of the outermost dimension
 */
export function foldedWeights(direction: SourceTensor, lengths: SourceTensor, outer: number): SourceTensor {
  const inner = direction.rows / outer
  const columns = inner * direction.columns
  return floats(direction.name, outer, columns, (first, count) => {
    const values = dequantize(direction.encoding, direction.read(first * inner, count * inner))
    const scales = dequantize(lengths.encoding, lengths.read(first, count))
    for (let row = 0; row < count; row++) {
      const own = values.subarray(row * columns, (row + 1) * columns)
      const norm = Math.sqrt(own.reduce((sum, value) => sum + value * value, 0))
      if (norm === 0) throw modelInvalid(direction.name, 'has a direction of length 0')
      const factor = (scales[row] ?? 0) / norm
      for (const [at, value] of own.entries()) own[at] = value * factor
    }
    return values
  })
}

function floats(
  name: string,
  rows: number,
  columns: number,
  read: (first: number, count: number) => Float32Array<ArrayBuffer>
): SourceTensor {
  const bytes = (values: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  return {
    name,
    encoding: 'F32',
    rows,
    columns,
    rowBytes: 4 * columns,
    read: (first, count) => bytes(read(first, count))
  }
}
