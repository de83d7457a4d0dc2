import { type Blocks, convolve, enlarge, groupNorm } from './blocks.ts'

/** The latents that a decoder's norms follow. */
export interface LatentNorm {
  /** `[1, latentChannels, height, width]`. */
  readonly edge: string
  readonly latentChannels: number
  readonly normGroups: number
  readonly epsilon: number
}

/**
 * A norm whose scale and shift are made of the latents at each pixel (Zheng et al., arXiv:2209.09002, section 3.2).
 *
 * @param input `[1, channels, rows, columns]`, of any multiple of the latents' sides
 */
export function latentNorm(
  blocks: Blocks,
  path: string,
  input: string,
  { edge, latentChannels, channels, ...grouping }: LatentNorm & { readonly channels: number }
): string {
  const { graph } = blocks
  const normed = groupNorm(blocks, `${path}.group`, input, { ...grouping, channels })
  const sizes = { inputs: latentChannels, outputs: channels, taps: 1 }
  // each latent makes a scale and a shift, and all its pixels have the same: they are made before there are many
  const [scale = '', shift = ''] = ['scale', 'shift'].map(name => {
    const made = convolve(blocks, `${path}.${name}`, edge, sizes)
    return enlarge(blocks, `${path}.${name}`, made, input)
  })
  return graph.node('Add', `${path}_out`, [graph.node('Mul', `${path}_moved`, [normed, scale]), shift])
}
