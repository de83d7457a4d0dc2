import { type EncodedMinima, encodeMinima, minimaLayout } from '../quantization/block-minima.ts'
import { type BlockFormat, blockFormat, blockScales, dequantize, packValues } from '../quantization/encoding.ts'
import type { SourceTensor } from './source-tensor.ts'

/** Source bytes converted at a time: large enough for fast reads, small beside any layer. */
const BATCH_BYTES = 4 * 1024 * 1024

/** What a transpose holds: all of a matrix of 64 million numbers, which is any of an 8 B model but its head. */
const BAND_BYTES = 256 * 1024 * 1024

/** One of our matrices: the rows of one or more source tensors, one after the other. */
export interface Matrix {
  readonly name: string
  readonly rows: number
  readonly columns: number
  readonly parts: readonly SourceTensor[]
}

/** Stacks tensors of as many columns by their rows. */
export function stack(name: string, parts: readonly [SourceTensor, ...SourceTensor[]]): Matrix {
  return { name, rows: parts.reduce((rows, part) => rows + part.rows, 0), columns: parts[0].columns, parts }
}

/** Source bytes of the matrix in batches of whole rows, rotary pairs in the half-split order. */
export function* rowBatches(matrix: Matrix): Generator<{ part: SourceTensor; source: Uint8Array<ArrayBuffer> }> {
  for (const part of matrix.parts) {
    const unit = part.interleavedHeadDim ?? 1
    const batch = Math.max(1, Math.floor(BATCH_BYTES / (part.rowBytes * unit))) * unit
    for (let first = 0; first < part.rows; first += batch) {
      const source = part.read(first, Math.min(batch, part.rows - first))
      yield { part, source: part.interleavedHeadDim === undefined ? source : splitHalves(part, source, unit) }
    }
  }
}

/**
 * llama.cpp's converter reorders the rows of a head from (half, pair) to (pair, half), for rotary embedding of
 * neighbours; our graphs rotate halves, as the models were trained. This undoes it.
 */
function splitHalves(part: SourceTensor, source: Uint8Array, headDim: number): Uint8Array<ArrayBuffer> {
  const { rowBytes } = part
  const pairs = headDim / 2
  const target = new Uint8Array(source.byteLength)
  for (let row = 0; row < source.byteLength / rowBytes; row += 1) {
    const inHead = row % headDim
    const from = row - inHead + 2 * (inHead % pairs) + Math.floor(inHead / pairs)
    target.set(source.subarray(from * rowBytes, (from + 1) * rowBytes), row * rowBytes)
  }
  return target
}

/** The block format of all parts, undefined when a part is plain or they differ. */
export function commonFormat(matrix: Matrix): BlockFormat | undefined {
  const [first, ...others] = matrix.parts.map(part => blockFormat(part.encoding))
  return others.every(format => format === first) ? first : undefined
}

/** Packed quantized values, row by row; behind each row, where the format has minima, the columns that stand for them. */
export function* packedData(matrix: Matrix, format: BlockFormat): Generator<Uint8Array<ArrayBuffer>> {
  for (const { source } of rowBatches(matrix)) {
    const data = packValues(format, source)
    if (!format.corrected) yield data
    else
      yield behindRows(
        data,
        encodedMinima(matrix, format, source).map(row => row.data)
      )
  }
}

/** f32 `[rows, blocks]`, of the same blocks as the values. */
export function* packedScales(matrix: Matrix, format: BlockFormat): Generator<Uint8Array<ArrayBuffer>> {
  for (const { source } of rowBatches(matrix)) {
    const scales = bytesOf(blockScales(format, source).scales)
    if (!format.corrected) yield scales
    else
      yield behindRows(
        scales,
        encodedMinima(matrix, format, source).map(row => bytesOf(row.scales))
      )
  }
}

/** Zero points of a format with minima, row by row. */
export function* packedZeroPoints(matrix: Matrix, format: BlockFormat): Generator<Uint8Array<ArrayBuffer>> {
  const { zeroPointBytes } = minimaLayout(format, matrix.columns)
  for (const { source } of rowBatches(matrix)) {
    const rows = encodedMinima(matrix, format, source)
    const joined = new Uint8Array(rows.length * zeroPointBytes)
    for (const [index, row] of rows.entries()) joined.set(row.zeroPoints, index * zeroPointBytes)
    yield joined
  }
}

function encodedMinima(matrix: Matrix, format: BlockFormat, source: Uint8Array): EncodedMinima[] {
  const { scales, corrections } = blockScales(format, source)
  const blocks = matrix.columns / format.blockSize
  return Array.from({ length: corrections.length / blocks }, (_, row) => {
    const [start, end] = [row * blocks, (row + 1) * blocks]
    return encodeMinima(format, scales.subarray(start, end), corrections.subarray(start, end))
  })
}

/** Rows of equal length, each followed by its tail. */
function behindRows(rows: Uint8Array, tails: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const rowBytes = rows.byteLength / tails.length
  const tailBytes = tails[0]?.byteLength ?? 0
  const joined = new Uint8Array(rows.byteLength + tails.length * tailBytes)
  for (const [row, tail] of tails.entries()) {
    const start = row * (rowBytes + tailBytes)
    joined.set(rows.subarray(row * rowBytes, (row + 1) * rowBytes), start)
    joined.set(tail, start + rowBytes)
  }
  return joined
}

/** f32 `[rows, columns]`: embeddings, heads and vectors. */
export function* floatRows(matrix: Matrix): Generator<Uint8Array<ArrayBuffer>> {
  for (const { part, source } of rowBatches(matrix)) {
    const values = dequantize(part.encoding, source)
    const { addend = 0 } = part
    yield bytesOf(addend === 0 ? values : values.map(value => value + addend))
  }
}

/** The source's own bytes, for tables that are only looked up. */
export function* sourceRows(matrix: Matrix): Generator<Uint8Array<ArrayBuffer>> {
  for (const { source } of rowBatches(matrix)) yield source
}

/** f32 `[columns, rows]`, as `x · W` reads it. @param bandBytes see {@link transposed} */
export function floatColumns(matrix: Matrix, bandBytes = BAND_BYTES): Generator<Uint8Array<ArrayBuffer>> {
  const read = (part: SourceTensor, source: Uint8Array<ArrayBuffer>) => dequantize(part.encoding, source)
  return transposed(matrix, bandBytes, Float32Array, read)
}

/** The same of numbers of 16 bits, as they are. */
export function halfColumns(matrix: Matrix, bandBytes = BAND_BYTES): Generator<Uint8Array<ArrayBuffer>> {
  return transposed(matrix, bandBytes, Uint16Array, (_, source) => {
    // a typed array cannot view an odd offset
    const even = source.byteOffset % 2 === 0 ? source : source.slice()
    return new Uint16Array(even.buffer, even.byteOffset, even.byteLength / 2)
  })
}

type Numbers = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>
type NumbersClass = { readonly BYTES_PER_ELEMENT: number; new (length: number): Numbers }
type ReadNumbers = (part: SourceTensor, source: Uint8Array<ArrayBuffer>) => Numbers

/**
 * `[columns, rows]`. Holds a band of columns for the transpose; where the matrix has several, its source is read once for
 * each.
 *
 * @param bandBytes of a band
 */
function* transposed(
  matrix: Matrix,
  bandBytes: number,
  Class: NumbersClass,
  read: ReadNumbers
): Generator<Uint8Array<ArrayBuffer>> {
  const { rows, columns } = matrix
  const columnBytes = rows * Class.BYTES_PER_ELEMENT
  const bandColumns = Math.max(1, Math.floor(bandBytes / columnBytes))
  const batchColumns = Math.max(1, Math.floor(BATCH_BYTES / columnBytes))
  for (let start = 0; start < columns; start += bandColumns) {
    const width = Math.min(bandColumns, columns - start)
    const band = bandOf(matrix, start, new Class(rows * width), read)
    for (let first = 0; first < width; first += batchColumns) {
      const count = Math.min(batchColumns, width - first)
      const turned = new Class(count * rows)
      for (let row = 0; row < rows; row += 1) {
        for (let column = 0; column < count; column += 1) {
          turned[column * rows + row] = band[row * width + first + column] ?? 0
        }
      }
      yield bytesOf(turned)
    }
  }
}

/** As many columns of all rows as `band` takes, from `start` on, row by row. */
function bandOf(matrix: Matrix, start: number, band: Numbers, read: ReadNumbers): Numbers {
  const { rows, columns } = matrix
  const width = band.length / rows
  let filled = 0
  for (const { part, source } of rowBatches(matrix)) {
    const batch = read(part, source)
    if (width === columns) {
      band.set(batch, filled)
      filled += batch.length
      continue
    }
    for (let row = start; row < batch.length; row += columns, filled += width) {
      band.set(batch.subarray(row, row + width), filled)
    }
  }
  return band
}

function bytesOf(values: Numbers): Uint8Array<ArrayBuffer> {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}
