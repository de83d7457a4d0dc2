import { type LayerTensorName, layerTensorNames } from '@resultity/families'
import { TENSOR_ALIGNMENT_BYTES, type TensorEntry, type WeightFile } from '@resultity/interface'
import { minimaLayout } from '../quantization/block-minima.ts'
import { type BlockFormat, blockFormat } from '../quantization/encoding.ts'
import {
  commonFormat,
  floatColumns,
  floatRows,
  type Matrix,
  packedData,
  packedScales,
  packedZeroPoints,
  sourceRows,
  stack
} from './matrix.ts'
import type { LayerTensors, ModelSource, SourceTensor } from './model-source.ts'

/** A weight file before it is written: everything but its hash, and where its bytes come from. */
export interface WeightFilePlan {
  readonly layout: Omit<WeightFile, 'sha256'>
  /** All bytes of the file in order, padding included. */
  chunks(): Generator<Uint8Array<ArrayBuffer>>
}

export interface WeightFileOptions {
  /** Stores every matrix as f32, for comparison with a reference in full precision. */
  readonly dequantize: boolean
}

type Extent = { offset: number; bytes: number }
type Content = { extent: Extent; chunks: () => Generator<Uint8Array<ArrayBuffer>> }
type PlannedTensor = { entry: TensorEntry; contents: Content[] }
/** Reserves the next aligned extent of a file. */
type Reserve = (bytes: number, chunks: () => Generator<Uint8Array<ArrayBuffer>>) => Content
export type TensorPlan = (reserve: Reserve) => PlannedTensor

/** The weight files of a model in the manifest's order: embedding, layers, head. */
export function planWeightFiles(source: ModelSource, options: WeightFileOptions) {
  const { embedding, finalNorm, head } = source
  const headTensors = [vector('final_norm', [finalNorm])]
  if (head !== undefined) headTensors.push(outputTable(stack('head', [head]), options))
  return {
    embedding: planFile([embeddingTable(source, stack('embedding', [embedding]), options)]),
    layers: source.layers.map(layer => planFile(layerTensors(layer, options))),
    head: planFile(headTensors)
  }
}

function layerTensors(layer: LayerTensors, options: WeightFileOptions): TensorPlan[] {
  const norm = (name: LayerTensorName): TensorPlan[] => {
    const tensor = layer.get(name)
    return tensor === undefined ? [] : [vector(name, [tensor])]
  }
  return [
    ...norm('input_norm'),
    ...fused('qkv', ['q', 'k', 'v'], layer, options),
    ...norm('q_norm'),
    ...norm('k_norm'),
    ...fused('output', ['output'], layer, options),
    ...norm('attention_out_norm'),
    ...norm('post_norm'),
    ...fused('gate_up', ['gate', 'up'], layer, options),
    ...fused('down', ['down'], layer, options),
    ...norm('feed_forward_out_norm')
  ]
}

/**
 * One matrix where all parts have one encoding: fewer, larger operators are faster. Else one for each. Their biases, where
 * they have any, are put together as they are.
 */
function fused(
  name: string,
  parts: readonly LayerTensorName[],
  layer: LayerTensors,
  options: WeightFileOptions
): TensorPlan[] {
  const joined = present(parts, layer)
  if (joined === undefined) return []
  const matrix = stack(name, joined)
  const plain = matrix.parts.every(part => blockFormat(part.encoding) === undefined)
  if (parts.length > 1 && !plain && !options.dequantize && commonFormat(matrix) === undefined) {
    return parts.flatMap(part => fused(part, [part], layer, options))
  }
  const biases = present(biasNames(parts), layer)
  return [projection(matrix, options), ...(biases === undefined ? [] : [vector(`${name}_bias`, biases)])]
}

function biasNames(parts: readonly LayerTensorName[]): LayerTensorName[] {
  return parts.flatMap(part => layerTensorNames.filter(name => name === `${part}_bias`))
}

function present(
  names: readonly LayerTensorName[],
  layer: LayerTensors
): [SourceTensor, ...SourceTensor[]] | undefined {
  const [first, ...others] = names.flatMap(name => layer.get(name) ?? [])
  return first === undefined ? undefined : [first, ...others]
}

/** A matrix to multiply by: f32 `[in, out]`, or quantized. */
export function projection(matrix: Matrix, options: WeightFileOptions): TensorPlan {
  const format = options.dequantize ? undefined : commonFormat(matrix)
  if (format !== undefined) return quantized(matrix, format)
  return plain(matrix, 'f32', [matrix.columns, matrix.rows], () => floatColumns(matrix))
}

/** The head: quantized like a projection, or f32 `[vocabulary, hidden]`. */
function outputTable(matrix: Matrix, options: WeightFileOptions): TensorPlan {
  const format = options.dequantize ? undefined : commonFormat(matrix)
  if (format !== undefined) return quantized(matrix, format)
  return plain(matrix, 'f32', [matrix.rows, matrix.columns], () => floatRows(matrix))
}

/**
 * The embedding: looked up row by row, so a 16-bit table stays as it is unless it serves as the head too. A format
 * with minima becomes f32, because minima are stored for products, not for looking up rows.
 */
function embeddingTable(source: ModelSource, matrix: Matrix, options: WeightFileOptions): TensorPlan {
  const encoding = source.embedding.encoding
  const format = options.dequantize ? undefined : commonFormat(matrix)
  if (format !== undefined && !format.corrected) return quantized(matrix, format)
  const shape = [matrix.rows, matrix.columns]
  if (!options.dequantize && !source.config.tiedEmbedding && (encoding === 'F16' || encoding === 'BF16')) {
    return plain(matrix, encoding === 'F16' ? 'f16' : 'bf16', shape, () => sourceRows(matrix))
  }
  return plain(matrix, 'f32', shape, () => floatRows(matrix))
}

/** Vectors one after the other, as f32. */
export function vector(name: string, tensors: readonly [SourceTensor, ...SourceTensor[]]): TensorPlan {
  const matrix = stack(name, tensors)
  const size = matrix.parts.reduce((sum, part) => sum + part.rows * part.columns, 0)
  return reserve => {
    const data = reserve(size * Float32Array.BYTES_PER_ELEMENT, () => floatRows(matrix))
    return { entry: { name, encoding: 'f32', shape: [size], data: data.extent }, contents: [data] }
  }
}

/** A table whose rows are looked up, as f32. */
export function floatTable(name: string, tensor: SourceTensor): TensorPlan {
  const matrix = stack(name, [tensor])
  return plain(matrix, 'f32', [matrix.rows, matrix.columns], () => floatRows(matrix))
}

function plain(
  matrix: Matrix,
  encoding: 'f32' | 'f16' | 'bf16',
  shape: number[],
  chunks: () => Generator<Uint8Array<ArrayBuffer>>
): TensorPlan {
  return reserve => {
    const data = reserve(matrix.rows * matrix.columns * (encoding === 'f32' ? 4 : 2), chunks)
    return { entry: { name: matrix.name, encoding, shape, data: data.extent }, contents: [data] }
  }
}

function quantized(matrix: Matrix, format: BlockFormat): TensorPlan {
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
    if (minima === undefined) return { entry, contents: [data, scales] }
    const zeroPoints = reserve(rows * minima.zeroPointBytes, () => packedZeroPoints(matrix, format))
    return {
      entry: { ...entry, meanColumns: minima.meanColumns, zeroPoints: zeroPoints.extent },
      contents: [data, scales, zeroPoints]
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
  return { layout: { bytes: end, tensors: planned.map(tensor => tensor.entry) }, chunks: () => fileChunks(contents) }
}

function* fileChunks(contents: readonly Content[]): Generator<Uint8Array<ArrayBuffer>> {
  let position = 0
  for (const { extent, chunks } of contents) {
    if (extent.offset > position) yield new Uint8Array(extent.offset - position)
    yield* chunks()
    position = extent.offset + extent.bytes
  }
}
