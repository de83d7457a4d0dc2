import {
  type Blocks,
  convolve,
  enlarge,
  type Grouping,
  groupNorm,
  integers,
  project,
  type Sizes,
  shrink,
  silu
} from './blocks.ts'
import { type LatentNorm, latentNorm } from './latent-norm.ts'

/** Numbers that every residual block adds by a projection of its own: `[1, size]`, already bent. */
export interface TimeState {
  readonly edge: string
  readonly size: number
  /** Whether it also scales what the second norm gives; default false: it is added before that norm. */
  readonly scales?: boolean
}

export interface ResidualBlock extends Sizes, Grouping {
  /** Of a denoiser. */
  readonly time?: TimeState
  /** Of a decoder whose norms follow the latents. */
  readonly latents?: LatentNorm
  /** Changes the resolution before the first convolution. */
  readonly resolution?: 'half' | 'double'
}

/** Two convolutions, each behind a norm, and what goes in added to what comes out (He et al., arXiv:1512.03385). */
export function residualBlock(blocks: Blocks, path: string, input: string, block: ResidualBlock): string {
  const { inputs, outputs, time } = block
  const { graph } = blocks
  const bent = silu(blocks, norm(blocks, `${path}.norm_1`, input, { ...block, channels: inputs }))
  const [first, around] = [bent, input].map(edge => resampled(blocks, edge, block.resolution))
  let hidden = convolve(blocks, `${path}.conv_1`, first ?? '', { inputs, outputs })
  const told = time === undefined ? undefined : timePixel(blocks, path, time, outputs)
  if (told !== undefined && told.scale === undefined) {
    hidden = graph.node('Add', `${path}.timed`, [hidden, told.shift])
  }
  let normed = norm(blocks, `${path}.norm_2`, hidden, { ...block, channels: outputs })
  if (told?.scale !== undefined) {
    const more = graph.node('Add', `${path}.time_factor`, [told.scale, graph.constant('one', Float32Array.of(1), [1])])
    const scaled = graph.node('Mul', `${path}.time_scaled`, [normed, more])
    normed = graph.node('Add', `${path}.timed`, [scaled, told.shift])
  }
  const last = convolve(blocks, `${path}.conv_2`, silu(blocks, normed), { inputs: outputs, outputs })
  const way = around ?? ''
  const shortcut = inputs === outputs ? way : convolve(blocks, `${path}.shortcut`, way, { inputs, outputs, taps: 1 })
  return graph.node('Add', path, [shortcut, last])
}

function norm(
  blocks: Blocks,
  path: string,
  input: string,
  { latents, ...grouping }: Pick<ResidualBlock, 'latents' | 'normGroups' | 'epsilon'> & { readonly channels: number }
): string {
  return latents === undefined
    ? groupNorm(blocks, path, input, grouping)
    : latentNorm(blocks, path, input, { ...latents, channels: grouping.channels })
}

function resampled(blocks: Blocks, edge: string, resolution: ResidualBlock['resolution']): string {
  if (resolution === undefined) return edge
  return resolution === 'half' ? shrink(blocks, edge, edge) : enlarge(blocks, edge, edge)
}

/** What the time adds to each pixel, and what it scales it with. */
function timePixel(
  blocks: Blocks,
  path: string,
  { edge, size, scales = false }: TimeState,
  channels: number
): { readonly scale: string | undefined; readonly shift: string } {
  const { graph } = blocks
  const outputs = scales ? 2 * channels : channels
  const added = project(blocks, `${path}.time`, edge, { inputs: size, outputs })
  const pixel = graph.node('Reshape', `${path}.time_pixel`, [added, integers(graph, 1, outputs, 1, 1)])
  if (!scales) return { scale: undefined, shift: pixel }
  const [scale, shift] = [`${path}.time_scale`, `${path}.time_shift`]
  graph.nodeWithOutputs('Split', [scale, shift], [pixel], { axis: 1, num_outputs: 2 })
  return { scale, shift }
}
