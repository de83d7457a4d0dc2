import { type LayerTensorName, layerTensorNames } from '@resultity/families'
import {
  blockFormat,
  commonFormat,
  floatRows,
  floatVector,
  type Matrix,
  plainEncoding,
  plainMatrix,
  planFile,
  projections,
  quantizedMatrix,
  sourceRows,
  stack,
  type TensorPlan,
  type WeightFileOptions
} from '@resultity/formats'
import type { Quantize } from '@resultity/interface'
import type { LayerTensors, ModelSource } from './model-source.ts'
import { roundedSource } from './rounded-source.ts'

export interface DecoderFileOptions {
  /** Stores every matrix as f32, for comparison with a reference in full precision. Default false. */
  readonly dequantize?: boolean | undefined
  /** What becomes of plain numbers. Default `auto`. */
  readonly quantize?: Quantize | undefined
}

/** The weight files of a model in the manifest's order: embedding, layers, head. */
export function planWeightFiles(whole: ModelSource, { dequantize = false, quantize }: DecoderFileOptions) {
  const options = { dequantize }
  const source = dequantize ? whole : roundedSource(whole, quantize)
  const { embedding, finalNorm, head } = source
  const headTensors = [floatVector('final_norm', [finalNorm])]
  if (head !== undefined) headTensors.push(outputTable(stack('head', [head]), options))
  return {
    embedding: planFile([embeddingTable(stack('embedding', [embedding]), options)]),
    layers: source.layers.map(layer => planFile(layerTensors(layer, options))),
    head: planFile(headTensors)
  }
}

function layerTensors(layer: LayerTensors, options: WeightFileOptions): TensorPlan[] {
  const norm = (name: LayerTensorName): TensorPlan[] =>
    layer.get(name)?.map(tensor => floatVector(name, [tensor])) ?? []
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
    // small, and what it rounds decides who is asked
    ...fused('router', ['router'], layer, { ...options, dequantize: true }),
    ...fused('expert_gate_up', ['expert_gate', 'expert_up'], layer, options),
    ...fused('expert_down', ['expert_down'], layer, options),
    ...fused('shared_router', ['shared_router'], layer, { ...options, dequantize: true }),
    ...fused('shared_gate_up', ['shared_gate', 'shared_up'], layer, options),
    ...fused('shared_down', ['shared_down'], layer, options),
    ...norm('feed_forward_out_norm')
  ]
}

/**
 * One matrix, or one for each expert, where all parts have one encoding: fewer, larger operators are faster. Else one for
 * each part. Their biases, where they have any, are put together as they are.
 */
function fused(
  name: string,
  parts: readonly LayerTensorName[],
  layer: LayerTensors,
  options: WeightFileOptions
): TensorPlan[] {
  const [first, ...others] = matricesOf(name, parts, layer)
  if (first === undefined) return []
  const formats = new Set([first, ...others].flatMap(({ parts }) => parts.map(part => blockFormat(part.encoding))))
  if (parts.length > 1 && !options.dequantize && formats.size > 1) {
    return parts.flatMap(part => fused(part, [part], layer, options))
  }
  const [bias, ...biases] = biasNames(parts).flatMap(part => layer.get(part) ?? [])
  return [
    projections([first, ...others], options),
    ...(bias === undefined ? [] : [floatVector(`${name}_bias`, [bias, ...biases])])
  ]
}

function biasNames(parts: readonly LayerTensorName[]): LayerTensorName[] {
  return parts.flatMap(part => layerTensorNames.filter(name => name === `${part}_bias`))
}

/** The parts that the layer has, put together: one matrix, or of experts one for each. */
function matricesOf(name: string, parts: readonly LayerTensorName[], layer: LayerTensors): Matrix[] {
  const tensors = parts.flatMap(part => layer.get(part)?.map((tensor, expert) => ({ tensor, expert })) ?? [])
  return [...Map.groupBy(tensors, ({ expert }) => expert).values()].flatMap(own => {
    const [first, ...others] = own.map(({ tensor }) => tensor)
    return first === undefined ? [] : [stack(name, [first, ...others])]
  })
}

/** The head: quantized like a projection, or plain `[vocabulary, hidden]`. */
function outputTable(matrix: Matrix, options: WeightFileOptions): TensorPlan {
  const format = options.dequantize ? undefined : commonFormat(matrix)
  if (format !== undefined) return quantizedMatrix(matrix, format)
  return plainTable(matrix, options)
}

/**
 * The embedding: looked up row by row. A format with minima becomes f32, because minima are stored for products, not for looking up
 * rows.
 */
function embeddingTable(matrix: Matrix, options: WeightFileOptions): TensorPlan {
  const format = options.dequantize ? undefined : commonFormat(matrix)
  if (format !== undefined && !format.corrected) return quantizedMatrix(matrix, format)
  return plainTable(matrix, options)
}

function plainTable(matrix: Matrix, options: WeightFileOptions): TensorPlan {
  const encoding = plainEncoding(matrix, options)
  const rows = encoding === 'f32' ? floatRows : sourceRows
  return plainMatrix(matrix, encoding, [matrix.rows, matrix.columns], () => rows(matrix))
}
