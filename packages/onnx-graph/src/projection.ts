import type { PlainTensor, QuantizedTensor, TensorEntry, WeightFile } from '@resultity/interface'
import { MeshError } from '@resultity/interface'
import type { GraphWriter } from './graph-writer.ts'
import { ElementType } from './onnx-schema.ts'

/**
 * `accuracy_level` of MatMulNBits: 4 quantizes the activations to int8 per block and multiplies integers, as
 * llama.cpp does. The other levels dequantize the weights and are several times slower on a CPU.
 */
export const INTEGER_ARITHMETIC = 4

/** A weight file and where the graph finds it. */
export interface LocatedFile {
  readonly file: WeightFile
  readonly location: string
  /** Put before tensor names, so that layers do not collide. */
  readonly prefix: string
}

/** The tensor `name` of `located`, or undefined. */
export function findTensor(located: LocatedFile, name: string): TensorEntry | undefined {
  return located.file.tensors.find(tensor => tensor.name === name)
}

/** @throws MeshError `model_invalid` when the weight file lacks the tensor */
export function requireTensor(located: LocatedFile, name: string): TensorEntry {
  const tensor = findTensor(located, name)
  if (tensor === undefined) {
    throw new MeshError('model_invalid', `weight file ${located.file.sha256} has no tensor "${name}"`, {
      hint: 'import the model again; its manifest does not fit this version'
    })
  }
  return tensor
}

/** @throws MeshError `model_invalid` when the tensor is missing or quantized */
export function requirePlain(located: LocatedFile, name: string): PlainTensor {
  const tensor = requireTensor(located, name)
  if ('scales' in tensor) {
    throw new MeshError('model_invalid', `tensor "${name}" of ${located.file.sha256} is quantized and must not be`)
  }
  return tensor
}

const plainTypes = {
  f32: ElementType.float32,
  f16: ElementType.float16,
  bf16: ElementType.bfloat16
} as const

/** The stored tensor as it is, in its own element type. */
export function plainInitializer(graph: GraphWriter, located: LocatedFile, tensor: PlainTensor): string {
  return graph.external({
    name: `${located.prefix}${tensor.name}`,
    elementType: plainTypes[tensor.encoding],
    dims: tensor.shape,
    location: located.location,
    offset: tensor.data.offset,
    bytes: tensor.data.bytes
  })
}

/** The stored tensor in f32. The runtime folds the conversion of a half-precision one when it loads the graph. */
export function floatInitializer(graph: GraphWriter, located: LocatedFile, tensor: PlainTensor): string {
  const name = plainInitializer(graph, located, tensor)
  if (tensor.encoding === 'f32') return name
  return graph.node('Cast', `${name}_f32`, [name], { to: ElementType.float32 })
}

/** The scales and, where the format has them, the codes of a quantized matrix. `dims` is the shape of the codes. */
export function quantizedInitializers(
  graph: GraphWriter,
  located: LocatedFile,
  tensor: QuantizedTensor,
  codes: { readonly suffix: string; readonly dims: readonly number[] }
): { readonly codes: string; readonly scales: string } {
  const name = `${located.prefix}${tensor.name}`
  const { location } = located
  return {
    codes: graph.external({
      name: `${name}_${codes.suffix}`,
      elementType: ElementType.uint8,
      dims: codes.dims,
      location,
      offset: tensor.data.offset,
      bytes: tensor.data.bytes
    }),
    scales: graph.external({
      name: `${name}_scales`,
      elementType: ElementType.float32,
      dims: [tensor.rows, blockCount(tensor)],
      location,
      offset: tensor.scales.offset,
      bytes: tensor.scales.bytes
    })
  }
}

export function codeBits(tensor: QuantizedTensor): 4 | 8 {
  return tensor.encoding === 'q4' ? 4 : 8
}

/**
 * `y = x · W` for a projection stored `[in, out]` or quantized.
 *
 * @param input name of x, `[batch, positions, in]`
 * @returns name of y, `[batch, positions, out]`
 */
export function project(graph: GraphWriter, located: LocatedFile, tensorName: string, input: string): string {
  const tensor = requireTensor(located, tensorName)
  const output = `${located.prefix}${tensorName}_out`
  if (!('scales' in tensor)) return graph.node('MatMul', output, [input, floatInitializer(graph, located, tensor)])
  return projectQuantized(graph, located, tensor, { input, output })
}

/** As {@link project}, with the bias `${tensorName}_bias` added. */
export function projectWithBias(graph: GraphWriter, located: LocatedFile, tensorName: string, input: string): string {
  const tensor = requireTensor(located, tensorName)
  const bias = floatInitializer(graph, located, requirePlain(located, `${tensorName}_bias`))
  const output = `${located.prefix}${tensorName}_biased`
  if ('scales' in tensor) return projectQuantized(graph, located, tensor, { input, output, bias })
  return graph.node('Add', output, [project(graph, located, tensorName, input), bias])
}

/** As {@link project}, for a quantized matrix `[out, in]`; also the head's. */
export function projectQuantized(
  graph: GraphWriter,
  located: LocatedFile,
  tensor: QuantizedTensor,
  edges: { readonly input: string; readonly output: string; readonly bias?: string }
): string {
  const { rows, blockSize, meanColumns = 0 } = tensor
  const bits = codeBits(tensor)
  const { codes, scales } = quantizedInitializers(graph, located, tensor, {
    suffix: 'codes',
    dims: [rows, blockCount(tensor), (blockSize * bits) / 8]
  })
  const input = meanColumns === 0 ? edges.input : withBlockMeans(graph, located, tensor, edges.input)
  const zeroPoints = zeroPointsInitializer(graph, located, tensor)
  const inputs = [input, codes, scales]
  if (zeroPoints !== undefined) inputs.push(zeroPoints)
  // the inputs after the zero points are an index that is not used here, and the bias
  if (edges.bias !== undefined) inputs.push(...(zeroPoints === undefined ? [''] : []), '', edges.bias)
  return graph.node('MatMulNBits', edges.output, inputs, {
    K: tensor.columns + meanColumns,
    N: rows,
    bits,
    block_size: blockSize,
    accuracy_level: INTEGER_ARITHMETIC
  })
}

function zeroPointsInitializer(graph: GraphWriter, located: LocatedFile, tensor: QuantizedTensor): string | undefined {
  const { name, rows, zeroPoints } = tensor
  if (zeroPoints === undefined) return undefined
  return graph.external({
    name: `${located.prefix}${name}_zero_points`,
    elementType: ElementType.uint8,
    dims: [rows, Math.ceil((blockCount(tensor) * codeBits(tensor)) / 8)],
    location: located.location,
    offset: zeroPoints.offset,
    bytes: zeroPoints.bytes
  })
}

/**
 * The input with the means of its blocks behind it, as often as the matrix has columns for them. Pooling is by far the
 * cheapest way to these.
 */
function withBlockMeans(graph: GraphWriter, located: LocatedFile, tensor: QuantizedTensor, input: string): string {
  const { name, columns, meanColumns = 0, blockSize } = tensor
  const copies = (meanColumns * blockSize) / columns
  const means = graph.node('AveragePool', `${located.prefix}${name}_means`, [input], {
    kernel_shape: [blockSize],
    strides: [blockSize]
  })
  return graph.node('Concat', `${located.prefix}${name}_in`, [input, ...new Array<string>(copies).fill(means)], {
    axis: 2
  })
}

/** Quantized blocks of one row. */
function blockCount({ columns, meanColumns = 0, blockSize }: QuantizedTensor): number {
  return Math.ceil((columns + meanColumns) / blockSize)
}
