import type { PictureCoderConfig } from '@resultity/interface'
import { ElementType, GraphWriter } from '@resultity/onnx-graph'
import { attend, type Blocks, convolve, enlarge, groupNorm, project, silu, toPixels, toRows } from './blocks.ts'
import { addWatched, type GraphInit, weightsOf } from './graph-init.ts'
import { type LatentNorm, latentNorm } from './latent-norm.ts'
import { residualBlock } from './residual-block.ts'

/** What makes pixels of latents, as an ONNX model. */
export interface PictureDecoderGraph {
  /** The serialized model. Weights are external data. */
  readonly bytes: Uint8Array
  /** f32 `[1, latentChannels, height, width]`, as a sampler leaves them. */
  readonly latents: string
  /** f32 `[1, 3, rows, columns]`, from -1 to 1 and a little beyond. */
  readonly pixels: string
}

/** What makes latents of pixels, as an ONNX model. */
export interface PictureEncoderGraph {
  readonly bytes: Uint8Array
  /** f32 `[1, 3, rows, columns]`, from -1 to 1. */
  readonly pixels: string
  /** f32 `[1, latentChannels, height, width]`, before the scale that samplers work in. */
  readonly mean: string
  /** In the shape of {@link mean}, from -30 to 20; undefined where a picture has one place in latents. */
  readonly logVariance: string | undefined
}

const COLOURS = 3
/** Between these the encoders are trained; beyond, a deviation is none or has no end. */
const LOG_VARIANCE = { min: -30, max: 20 } as const

/**
 * Builds the decoder of an autoencoder (Rombach et al., arXiv:2112.10752, after Esser et al., arXiv:2012.09841).
 *
 * @throws MeshError `model_invalid` for a missing tensor
 */
export function buildPictureDecoderGraph(init: GraphInit): PictureDecoderGraph {
  const { config, name } = init.manifest
  const graph = new GraphWriter()
  const edges = pictureDecoderGraph({ graph, weights: weightsOf(init, graph, 'decoder') }, config.coder)
  addWatched(graph, init.watched)
  return { bytes: graph.finish(`${name} decoder`), ...edges }
}

/**
 * Builds the encoder that belongs to it.
 *
 * @throws MeshError `model_invalid` for a missing tensor
 */
export function buildPictureEncoderGraph(init: GraphInit): PictureEncoderGraph {
  const { config, name } = init.manifest
  const graph = new GraphWriter()
  const edges = pictureEncoderGraph({ graph, weights: weightsOf(init, graph, 'encoder') }, config.coder)
  addWatched(graph, init.watched)
  return { bytes: graph.finish(`${name} encoder`), ...edges }
}

/** The graph's edges; what it asks for are the weights of a decoder. */
export function pictureDecoderGraph(blocks: Blocks, config: PictureCoderConfig): Omit<PictureDecoderGraph, 'bytes'> {
  const { graph } = blocks
  const { latentChannels, levels, blockCount } = config
  const latents = graph.input('latents', ElementType.float32, [1, latentChannels, 'height', 'width'])
  const square = { inputs: latentChannels, outputs: latentChannels, taps: 1 }
  const unscaled = unscale(graph, config, latents)
  const entered = config.beforeDecoder ? convolve(blocks, 'before', unscaled, square) : unscaled
  let channels = levels.at(-1) ?? 0
  const norms = normsOf(config, unscaled)
  let edge = convolve(blocks, 'in', entered, { inputs: latentChannels, outputs: channels })
  edge = middle(blocks, edge, config, norms)
  for (const [index, outputs] of levels.toReversed().entries()) {
    for (let block = 0; block <= blockCount; block++) {
      const sizes = { inputs: channels, outputs }
      edge = residualBlock(blocks, `up.${index}.block.${block}`, edge, { ...norms, ...sizes })
      channels = outputs
      const attends = config.latentNorm !== undefined && index === 0
      if (attends) edge = attendToAll(blocks, `up.0.attend.${block}`, edge, { ...norms, channels })
    }
    if (index === levels.length - 1) continue
    const path = `up.${index}.double`
    edge = convolve(blocks, path, enlarge(blocks, path, edge), { inputs: channels, outputs: channels })
  }
  const normed = normOf(blocks, 'out_norm', edge, { ...norms, channels })
  const pixels = convolve(blocks, 'out', silu(blocks, normed), { inputs: channels, outputs: COLOURS })
  graph.output(pixels, ElementType.float32, [1, COLOURS, 'rows', 'columns'])
  return { latents, pixels }
}

/** How a coder's blocks norm. */
type Norms = Pick<PictureCoderConfig, 'normGroups' | 'epsilon'> & { readonly latents?: LatentNorm }

/** @param latents of a decoder, as the encoder gave them */
function normsOf({ normGroups, epsilon, latentNorm, latentChannels }: PictureCoderConfig, latents: string): Norms {
  if (latentNorm === undefined) return { normGroups, epsilon }
  return { normGroups, epsilon, latents: { edge: latents, latentChannels, epsilon, ...latentNorm } }
}

function normOf(
  blocks: Blocks,
  path: string,
  input: string,
  { latents, ...group }: Norms & { readonly channels: number }
): string {
  return latents === undefined
    ? groupNorm(blocks, path, input, group)
    : latentNorm(blocks, path, input, { ...latents, channels: group.channels })
}

/** Into the numbers that the encoder gave. */
function unscale(graph: GraphWriter, config: PictureCoderConfig, latents: string): string {
  const { latentChannels, scalingFactor, shift, means, stds } = config
  const dims = [latentChannels, 1, 1]
  const each = (numberOf: (channel: number) => number): Float32Array =>
    Float32Array.from({ length: latentChannels }, (_, channel) => numberOf(channel))
  const factors = graph.constant(
    'latent_factors',
    each(channel => (stds?.[channel] ?? 1) / scalingFactor),
    dims
  )
  const shifts = graph.constant(
    'latent_shifts',
    each(channel => means?.[channel] ?? shift),
    dims
  )
  return graph.node('Add', 'latents_shifted', [graph.node('Mul', 'latents_scaled', [latents, factors]), shifts])
}

/** The graph's edges; what it asks for are the weights of an encoder. */
export function pictureEncoderGraph(blocks: Blocks, config: PictureCoderConfig): Omit<PictureEncoderGraph, 'bytes'> {
  const { graph } = blocks
  const { latentChannels, levels, blockCount } = config
  const pixels = graph.input('pixels', ElementType.float32, [1, COLOURS, 'rows', 'columns'])
  const { normGroups, epsilon } = config
  const norms: Norms = { normGroups, epsilon }
  let channels = levels[0] ?? 0
  let edge = convolve(blocks, 'in', pixels, { inputs: COLOURS, outputs: channels })
  for (const [index, outputs] of levels.entries()) {
    for (let block = 0; block < blockCount; block++) {
      const sizes = { inputs: channels, outputs }
      edge = residualBlock(blocks, `down.${index}.block.${block}`, edge, { ...norms, ...sizes })
      channels = outputs
      const attends = config.latentNorm !== undefined && index === levels.length - 1
      if (attends) edge = attendToAll(blocks, `down.${index}.attend.${block}`, edge, { ...norms, channels })
    }
    if (index === levels.length - 1) continue
    // zeros below and to the right only
    const convolution = { inputs: channels, outputs: channels, stride: 2, pads: [0, 1] } as const
    edge = convolve(blocks, `down.${index}.half`, edge, convolution)
  }
  edge = middle(blocks, edge, config, norms)
  const normed = normOf(blocks, 'out_norm', edge, { ...norms, channels })
  const both = config.latentNorm === undefined ? 2 * latentChannels : latentChannels
  let moments = convolve(blocks, 'out', silu(blocks, normed), { inputs: channels, outputs: both })
  if (config.afterEncoder) moments = convolve(blocks, 'after', moments, { inputs: both, outputs: both, taps: 1 })
  if (config.latentNorm !== undefined) {
    const place = graph.node('Identity', 'mean', [moments])
    graph.output(place, ElementType.float32, [1, latentChannels, 'height', 'width'])
    return { pixels, mean: place, logVariance: undefined }
  }
  const [mean, spread] = ['mean', 'log_variance_unbounded']
  graph.nodeWithOutputs('Split', [mean, spread], [moments], { axis: 1, num_outputs: 2 })
  const [least, most] = [LOG_VARIANCE.min, LOG_VARIANCE.max].map((bound, index) =>
    graph.constant(`log_variance_${index === 0 ? 'min' : 'max'}`, Float32Array.of(bound), [])
  )
  const logVariance = graph.node('Clip', 'log_variance', [spread, least ?? '', most ?? ''])
  for (const output of [mean, logVariance]) {
    graph.output(output, ElementType.float32, [1, latentChannels, 'height', 'width'])
  }
  return { pixels, mean, logVariance }
}

function middle(blocks: Blocks, input: string, { levels, middleAttends }: PictureCoderConfig, norms: Norms): string {
  const channels = levels.at(-1) ?? 0
  const residual = { ...norms, inputs: channels, outputs: channels }
  let edge = residualBlock(blocks, 'middle.block.0', input, residual)
  if (middleAttends) edge = attendToAll(blocks, 'middle.attend.0', edge, { ...norms, channels })
  return residualBlock(blocks, 'middle.block.1', edge, residual)
}

/** Each pixel attends to all, with one head. */
function attendToAll(
  blocks: Blocks,
  path: string,
  input: string,
  norms: Norms & { readonly channels: number }
): string {
  const { channels: size } = norms
  const rows = toRows(blocks, path, normOf(blocks, `${path}.norm`, input, norms), size)
  const [queries = '', keys = '', values = ''] = ['q', 'k', 'v'].map(name =>
    project(blocks, `${path}.${name}`, rows, { inputs: size, outputs: size })
  )
  const mixed = attend(blocks, path, { queries, keys, values, headCount: 1, size })
  const out = project(blocks, `${path}.output`, mixed, { inputs: size, outputs: size })
  return blocks.graph.node('Add', path, [input, toPixels(blocks, path, out, input)])
}
