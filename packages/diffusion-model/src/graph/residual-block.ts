import { type Blocks, convolve, type Grouping, groupNorm, project, type Sizes, silu } from './blocks.ts'

/** Numbers that every residual block adds by a projection of its own: `[1, size]`, already bent. */
export interface TimeState {
  readonly edge: string
  readonly size: number
}

export interface ResidualBlock extends Sizes, Grouping {
  /** Of a denoiser. */
  readonly time?: TimeState
}

/** Two convolutions, each behind a norm, and what goes in added to what comes out (He et al., arXiv:1512.03385). */
export function residualBlock(blocks: Blocks, path: string, input: string, block: ResidualBlock): string {
  const { inputs, outputs, time } = block
  const { graph } = blocks
  const bent = silu(blocks, groupNorm(blocks, `${path}.norm_1`, input, { ...block, channels: inputs }))
  let hidden = convolve(blocks, `${path}.conv_1`, bent, { inputs, outputs })
  if (time !== undefined) {
    const added = project(blocks, `${path}.time`, time.edge, { inputs: time.size, outputs })
    const shape = graph.constant(`pixel_${outputs}`, BigInt64Array.of(1n, BigInt(outputs), 1n, 1n), [4])
    const pixel = graph.node('Reshape', `${path}.time_pixel`, [added, shape])
    hidden = graph.node('Add', `${path}.timed`, [hidden, pixel])
  }
  const again = silu(blocks, groupNorm(blocks, `${path}.norm_2`, hidden, { ...block, channels: outputs }))
  const last = convolve(blocks, `${path}.conv_2`, again, { inputs: outputs, outputs })
  const way = inputs === outputs ? input : convolve(blocks, `${path}.shortcut`, input, { inputs, outputs, taps: 1 })
  return graph.node('Add', path, [way, last])
}
