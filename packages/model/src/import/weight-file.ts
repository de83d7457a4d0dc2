import { type LayerTensorName, layerTensorNames } from '@resultity/families'
import {
  blockFormat,
  commonFormat,
  floatRows,
  floatVector,
  type Matrix,
  plainMatrix,
  planFile,
  projection,
  quantizedMatrix,
  type SourceTensor,
  sourceRows,
  stack,
  type TensorPlan,
  type WeightFileOptions
} from '@resultity/formats'
import type { LayerTensors, ModelSource } from './model-source.ts'

/** The weight files of a model in the manifest's order: embedding, layers, head. */
export function planWeightFiles(source: ModelSource, options: WeightFileOptions) {
  const { embedding, finalNorm, head } = source
  const headTensors = [floatVector('final_norm', [finalNorm])]
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
    return tensor === undefined ? [] : [floatVector(name, [tensor])]
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
  return [projection(matrix, options), ...(biases === undefined ? [] : [floatVector(`${name}_bias`, biases)])]
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

/** The head: quantized like a projection, or f32 `[vocabulary, hidden]`. */
function outputTable(matrix: Matrix, options: WeightFileOptions): TensorPlan {
  const format = options.dequantize ? undefined : commonFormat(matrix)
  if (format !== undefined) return quantizedMatrix(matrix, format)
  return plainMatrix(matrix, 'f32', [matrix.rows, matrix.columns], () => floatRows(matrix))
}

/**
 * The embedding: looked up row by row, so a 16-bit table stays as it is unless it serves as the head too. A format
 * with minima becomes f32, because minima are stored for products, not for looking up rows.
 */
function embeddingTable(source: ModelSource, matrix: Matrix, options: WeightFileOptions): TensorPlan {
  const encoding = source.embedding.encoding
  const format = options.dequantize ? undefined : commonFormat(matrix)
  if (format !== undefined && !format.corrected) return quantizedMatrix(matrix, format)
  const shape = [matrix.rows, matrix.columns]
  if (!options.dequantize && !source.config.tiedEmbedding && (encoding === 'F16' || encoding === 'BF16')) {
    return plainMatrix(matrix, encoding === 'F16' ? 'f16' : 'bf16', shape, () => sourceRows(matrix))
  }
  return plainMatrix(matrix, 'f32', shape, () => floatRows(matrix))
}
