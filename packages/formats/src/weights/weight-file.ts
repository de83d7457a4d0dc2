import { TENSOR_ALIGNMENT_BYTES, type TensorEntry, type WeightFile } from '@resultity/interface'
import { minimaLayout } from '../quantization/block-minima.ts'
import type { BlockFormat } from '../quantization/encoding.ts'
import {
  commonFormat,
  floatColumns,
  floatRows,
  halfColumns,
  type Matrix,
  packedData,
  packedScales,
  packedZeroPoints,
  stack
} from './matrix.ts'
import type { SourceTensor } from './source-tensor.ts'

/** A weight file before it is written: everything but its hash, and where its bytes come from. */
export interface WeightFilePlan {
  readonly layout: Omit<WeightFile, 'sha256'>
  /** What it is made of. */
  readonly sources: readonly SourceTensor[]
  /** All bytes of the file in order, padding included. */
  chunks(): Generator<Uint8Array<ArrayBuffer>>
}

export interface WeightFileOptions {
  /** Stores every matrix as f32, for comparison with a reference in full precision. */
  readonly dequantize: boolean
}

type Extent = { offset: number; bytes: number }
type Content = { extent: Extent; chunks: () => Generator<Uint8Array<ArrayBuffer>> }
type PlannedTensor = { entry: TensorEntry; contents: Content[]; sources: readonly SourceTensor[] }
/** Reserves the next aligned extent of a file. */
type Reserve = (bytes: number, chunks: () => Generator<Uint8Array<ArrayBuffer>>) => Content
export type TensorPlan = (reserve: Reserve) => PlannedTensor

/** A matrix to multiply by: f32 `[in, out]`, or quantized. */
export function projection(matrix: Matrix, options: WeightFileOptions): TensorPlan {
  return projections([matrix], options)
}

/** Matrices of one shape to multiply by, one after the other: f32 `[count · in, out]`, or quantized. */
export function projections(matrices: readonly [Matrix, ...Matrix[]], options: WeightFileOptions): TensorPlan {
  const [{ name, rows, columns }] = matrices
  const all = { name, rows: matrices.length * rows, columns, parts: matrices.flatMap(({ parts }) => parts) }
  const format = options.dequantize ? undefined : commonFormat(all)
  if (format !== undefined) return quantizedMatrix(all, format)
  const encoding = plainEncoding(all, options)
  return plainMatrix(all, encoding, [matrices.length * columns, rows], function* () {
    for (const matrix of matrices) yield* encoding === 'f32' ? floatColumns(matrix) : halfColumns(matrix)
  })
}

/** Of a matrix that is not quantized: numbers of 16 bits stay so in the file. */
export function plainEncoding({ parts }: Matrix, { dequantize }: WeightFileOptions): 'f32' | 'f16' | 'bf16' {
  const encodings = new Set(parts.map(({ encoding }) => encoding))
  if (dequantize || encodings.size !== 1) return 'f32'
  if (encodings.has('F16')) return 'f16'
  return encodings.has('BF16') ? 'bf16' : 'f32'
}

/** Vectors one after the other, as f32. */
export function floatVector(name: string, tensors: readonly [SourceTensor, ...SourceTensor[]]): TensorPlan {
  const matrix = stack(name, tensors)
  const size = matrix.parts.reduce((sum, part) => sum + part.rows * part.columns, 0)
  return reserve => {
    const data = reserve(size * Float32Array.BYTES_PER_ELEMENT, () => floatRows(matrix))
    const entry: TensorEntry = { name, encoding: 'f32', shape: [size], data: data.extent }
    return { entry, contents: [data], sources: tensors }
  }
}

/** A table whose rows are looked up, as f32. */
export function floatTable(name: string, tensor: SourceTensor): TensorPlan {
  const matrix = stack(name, [tensor])
  return plainMatrix(matrix, 'f32', [matrix.rows, matrix.columns], () => floatRows(matrix))
}

/** A matrix of plain numbers. */
export function plainMatrix(
  matrix: Matrix,
  encoding: 'f32' | 'f16' | 'bf16',
  shape: number[],
  chunks: () => Generator<Uint8Array<ArrayBuffer>>
): TensorPlan {
  return reserve => {
    const data = reserve(matrix.rows * matrix.columns * (encoding === 'f32' ? 4 : 2), chunks)
    const entry: TensorEntry = { name: matrix.name, encoding, shape, data: data.extent }
    return { entry, contents: [data], sources: matrix.parts }
  }
}

/** A quantized matrix, in blocks that the runtime multiplies by. */
export function quantizedMatrix(matrix: Matrix, format: BlockFormat): TensorPlan {
  return reserve => {
    const { rows, columns, name } = matrix
    const { bits, blockSize } = format
    const minima = format.corrected ? minimaLayout(format, columns) : undefined
    const blocks = rows * (minima?.blocks ?? columns / blockSize)
    const data = reserve((blocks * blockSize * bits) / 8, () => packedData(matrix, format))
    const scales = reserve(blocks * Float32Array.BYTES_PER_ELEMENT, () => packedScales(matrix, format))
    const entry = {
      name,
      encoding: bits === 4 ? ('q4' as const) : ('q8' as const),
      rows,
      columns,
      blockSize,
      data: data.extent,
      scales: scales.extent
    }
    const sources = matrix.parts
    if (minima === undefined) return { entry, contents: [data, scales], sources }
    const zeroPoints = reserve(rows * minima.zeroPointBytes, () => packedZeroPoints(matrix, format))
    return {
      entry: { ...entry, meanColumns: minima.meanColumns, zeroPoints: zeroPoints.extent },
      contents: [data, scales, zeroPoints],
      sources
    }
  }
}

/** Lays the tensors of one file out. */
export function planFile(plans: readonly TensorPlan[]): WeightFilePlan {
  let end = 0
  const planned = plans.map(plan =>
    plan((bytes, chunks) => {
      const offset = Math.ceil(end / TENSOR_ALIGNMENT_BYTES) * TENSOR_ALIGNMENT_BYTES
      end = offset + bytes
      return { extent: { offset, bytes }, chunks }
    })
  )
  const contents = planned.flatMap(tensor => tensor.contents)
  return {
    layout: { bytes: end, tensors: planned.map(tensor => tensor.entry) },
    sources: planned.flatMap(tensor => tensor.sources),
    chunks: () => fileChunks(contents)
  }
}

function* fileChunks(contents: readonly Content[]): Generator<Uint8Array<ArrayBuffer>> {
  let position = 0
  for (const { extent, chunks } of contents) {
    if (extent.offset > position) yield new Uint8Array(extent.offset - position)
    yield* chunks()
    position = extent.offset + extent.bytes
  }
}
