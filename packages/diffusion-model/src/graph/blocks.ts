import type { Attribute, GraphWriter } from '@resultity/onnx-graph'
import type { Weights } from './weights.ts'

/** What blocks are built with. A block's path is the name of its output, and begins those of its tensors. */
export interface Blocks {
  readonly graph: GraphWriter
  readonly weights: Weights
}

export interface Sizes {
  readonly inputs: number
  readonly outputs: number
}

/** GroupNorm's settings. */
export interface Grouping {
  readonly normGroups: number
  readonly epsilon: number
}

export interface Convolution extends Sizes {
  /** Of the kernel's sides; default 3. */
  readonly taps?: number
  /** Default 1. */
  readonly stride?: number
  /** Rows and columns of zeros before and behind; default: as many as keep the size. */
  readonly pads?: readonly [before: number, behind: number]
}

/** A convolution over pixels `[1, inputs, height, width]`, with bias. */
export function convolve(blocks: Blocks, path: string, input: string, convolution: Convolution): string {
  const { outputs } = convolution
  const kernel = kernelOf(blocks, path, convolution)
  const bias = blocks.weights.ask({ name: `${path}_bias`, kind: 'vector', dims: [outputs] })
  return convolved(blocks, path, [input, kernel, bias], convolution)
}

/** A convolution without bias. */
export function convolvePlainly(blocks: Blocks, path: string, input: string, convolution: Convolution): string {
  return convolved(blocks, path, [input, kernelOf(blocks, path, convolution)], convolution)
}

function kernelOf({ weights }: Blocks, path: string, { inputs, outputs, taps = 3 }: Convolution): string {
  return weights.ask({ name: path, kind: 'kernel', dims: [outputs, inputs, taps, taps] })
}

function convolved({ graph }: Blocks, path: string, inputs: readonly string[], convolution: Convolution): string {
  const { taps = 3, stride = 1 } = convolution
  const [before, behind] = convolution.pads ?? [(taps - 1) / 2, (taps - 1) / 2]
  return graph.node('Conv', `${path}_out`, inputs, {
    kernel_shape: [taps, taps],
    pads: [before, before, behind, behind],
    strides: [stride, stride]
  })
}

/** `x · Wᵀ + b` of rows `[positions, inputs]`. */
export function project(blocks: Blocks, path: string, input: string, { inputs, outputs }: Sizes): string {
  const bias = blocks.weights.ask({ name: `${path}_bias`, kind: 'vector', dims: [outputs] })
  return product(blocks, path, [input, matrix(blocks, path, { inputs, outputs }), bias])
}

/** `x · Wᵀ` of rows `[positions, inputs]`. */
export function projectPlainly(blocks: Blocks, path: string, input: string, sizes: Sizes): string {
  return product(blocks, path, [input, matrix(blocks, path, sizes)])
}

function matrix({ weights }: Blocks, name: string, { inputs, outputs }: Sizes): string {
  return weights.ask({ name, kind: 'matrix', dims: [outputs, inputs] })
}

function product({ graph }: Blocks, path: string, inputs: readonly string[]): string {
  return graph.node('Gemm', `${path}_out`, inputs, { transB: 1 })
}

/**
 * GroupNorm (Wu & He, arXiv:1803.08494) of pixels `[1, channels, height, width]`. The runtime has no operator for it on a CPU;
 * LayerNormalization over the numbers of a group adds them up in f64. InstanceNormalization takes a third less time, and is off by
 * 4e-4 where a group has four million numbers, as in a decoder.
 */
export function groupNorm(
  { graph, weights }: Blocks,
  path: string,
  input: string,
  { channels, normGroups, epsilon }: Grouping & { readonly channels: number }
): string {
  const shape = graph.node('Shape', `${path}_shape`, [input])
  const grouped = graph.node('Reshape', `${path}_grouped`, [input, integers(graph, 1, normGroups, -1)])
  const one = graph.constant('one', Float32Array.of(1), [1])
  const normed = graph.node('LayerNormalization', `${path}_normed`, [grouped, one], {
    axis: -1,
    epsilon: { float: epsilon }
  })
  const apart = graph.node('Reshape', `${path}_apart`, [normed, shape])
  const dims = [channels, 1, 1]
  const scaled = graph.node('Mul', `${path}_scaled`, [apart, weights.ask({ name: path, kind: 'vector', dims })])
  const bias = weights.ask({ name: `${path}_bias`, kind: 'vector', dims })
  return graph.node('Add', `${path}_out`, [scaled, bias])
}

/** LayerNorm (Ba et al., arXiv:1607.06450) of rows. */
export function layerNorm(
  { graph, weights }: Blocks,
  path: string,
  input: string,
  { size, epsilon }: { readonly size: number; readonly epsilon: number }
): string {
  const [scale, bias] = [path, `${path}_bias`].map(name => weights.ask({ name, kind: 'vector', dims: [size] }))
  return graph.node('LayerNormalization', `${path}_out`, [input, scale ?? '', bias ?? ''], {
    axis: -1,
    epsilon: { float: epsilon }
  })
}

/** `x · sigmoid(x)` (Elfwing et al., arXiv:1702.03118). */
export function silu({ graph }: Blocks, input: string): string {
  return graph.node('QuickGelu', `${input}_bent`, [input], { alpha: { float: 1 } })
}

/** Pixels as rows: `[1, channels, height, width]` to `[height · width, channels]`. */
export function toRows({ graph }: Blocks, path: string, input: string, channels: number): string {
  const inner = graph.node('Transpose', `${path}_inner`, [input], { perm: [0, 2, 3, 1] })
  return graph.node('Reshape', `${path}_rows`, [inner, integers(graph, -1, channels)])
}

/** Rows as pixels, in the shape of others that have as many channels. */
export function toPixels({ graph }: Blocks, path: string, rows: string, like: string): string {
  const outer = graph.node('Transpose', `${path}_outer`, [rows], { perm: [1, 0] })
  const shape = graph.node('Shape', `${path}_pixels_shape`, [like])
  return graph.node('Reshape', `${path}_pixels`, [outer, shape])
}

export interface AttentionRows {
  /** `[positions, size]`. */
  readonly queries: string
  /** `[length, size]`. */
  readonly keys: string
  readonly values: string
  readonly headCount: number
  readonly size: number
  /** Whether a position attends to none behind it; default false. */
  readonly causal?: boolean
  /** f32 `[1, 1, positions, length]`, added to scores. */
  readonly bias?: string
}

/**
 * Attention (Vaswani et al., arXiv:1706.03762) of rows to rows. The runtime goes through long ones in tiles and keeps no matrix of
 * scores (Dao et al., arXiv:2205.14135), so that memory does not grow with the square of the pixels.
 */
export function attend({ graph }: Blocks, path: string, attention: AttentionRows): string {
  const { queries, keys, values, headCount, size, causal = false, bias } = attention
  const batch = integers(graph, 1, -1, size)
  const inputs = [queries, keys, values].map((rows, index) =>
    graph.node('Reshape', `${path}_${'qkv'[index]}_batch`, [rows, batch])
  )
  const attributes: Record<string, Attribute> = { num_heads: headCount, ...(causal ? { unidirectional: 1 } : {}) }
  if (bias !== undefined) inputs.push('', '', bias)
  const mixed = graph.node('MultiHeadAttention', `${path}_mixed`, inputs, attributes)
  return graph.node('Reshape', `${path}_mixed_rows`, [mixed, integers(graph, -1, size)])
}

/** The mean of each two by two pixels. */
export function shrink({ graph }: Blocks, path: string, input: string): string {
  return graph.node('AveragePool', `${path}_small`, [input], { kernel_shape: [2, 2], strides: [2, 2] })
}

/** Each pixel as often as it takes to have the height and width of another edge, or twice each way. */
export function enlarge({ graph }: Blocks, path: string, input: string, like?: string): string {
  const attributes: Record<string, Attribute> = {
    mode: { text: 'nearest' },
    coordinate_transformation_mode: { text: 'asymmetric' },
    nearest_mode: { text: 'floor' }
  }
  if (like === undefined) {
    const twice = graph.constant('twice', Float32Array.of(1, 1, 2, 2), [4])
    return graph.node('Resize', `${path}_large`, [input, '', twice], attributes)
  }
  const own = graph.node('Shape', `${path}_own`, [input])
  const other = graph.node('Shape', `${path}_other`, [like])
  const first = graph.node('Slice', `${path}_first`, [own, integers(graph, 0), integers(graph, 2), integers(graph, 0)])
  const sides = graph.node('Slice', `${path}_sides`, [
    other,
    integers(graph, 2),
    integers(graph, 4),
    integers(graph, 0)
  ])
  const sizes = graph.node('Concat', `${path}_sizes`, [first, sides], { axis: 0 })
  return graph.node('Resize', `${path}_large`, [input, '', '', sizes], attributes)
}

/** A list of whole numbers, of which a graph has each once. */
export function integers(graph: GraphWriter, ...values: readonly number[]): string {
  const name = `integers_${values.join('_').replaceAll('-', 'minus')}`
  return graph.constant(name, BigInt64Array.from(values, BigInt), [values.length])
}
