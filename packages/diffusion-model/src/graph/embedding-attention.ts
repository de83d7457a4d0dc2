import { attend, type Blocks, type Grouping, groupNorm, project, toPixels, toRows } from './blocks.ts'
import type { Context } from './pixel-transformer.ts'

/** Of the norm before it, as diffusers has it; no denoiser says otherwise. */
const EPSILON = 1e-5

export interface EmbeddingAttention extends Pick<Grouping, 'normGroups'> {
  readonly channels: number
  readonly headCount: number
  readonly context: Context
}

/** Pixels that attend to positions of an embedding and to each other, all at once (Nichol et al., arXiv:2112.10741, section 4). */
export function embeddingAttention(
  blocks: Blocks,
  path: string,
  input: string,
  { channels: size, headCount, normGroups, context }: EmbeddingAttention
): string {
  const { graph } = blocks
  const normed = groupNorm(blocks, `${path}.norm`, input, { channels: size, normGroups, epsilon: EPSILON })
  const rows = toRows(blocks, path, normed, size)
  const square = { inputs: size, outputs: size }
  const queries = project(blocks, `${path}.q`, rows, square)
  const [keys = '', values = ''] = ['k', 'v'].map(name => {
    const added = project(blocks, `${path}.added_${name}`, context.edge, { inputs: context.size, outputs: size })
    const own = project(blocks, `${path}.${name}`, rows, square)
    return graph.node('Concat', `${path}.all_${name}`, [added, own], { axis: 0 })
  })
  const mixed = attend(blocks, path, { queries, keys, values, headCount, size })
  return graph.node('Add', path, [
    input,
    toPixels(blocks, path, project(blocks, `${path}.output`, mixed, square), input)
  ])
}
