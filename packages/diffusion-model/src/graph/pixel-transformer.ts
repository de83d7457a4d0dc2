import {
  attend,
  type Blocks,
  type Grouping,
  groupNorm,
  layerNorm,
  project,
  projectPlainly,
  toPixels,
  toRows
} from './blocks.ts'

/** As torch's LayerNorm has it; no denoiser says otherwise. */
const LAYER_NORM_EPSILON = 1e-5
/** Of the norm before the layers; no denoiser says otherwise. */
const ENTRY_NORM_EPSILON = 1e-6
/** Times that the feed-forward is wider than its input. */
const WIDENING = 4

/** The text that pixels attend to: an edge of rows, and their size. */
export interface Context {
  readonly edge: string
  readonly size: number
}

export interface PixelTransformer extends Pick<Grouping, 'normGroups'> {
  readonly channels: number
  readonly headCount: number
  readonly depth: number
  readonly context: Context
}

/** Transformer layers over pixels, which attend to each other and to the text (Rombach et al., arXiv:2112.10752, §3.3). */
export function pixelTransformer(blocks: Blocks, path: string, input: string, transformer: PixelTransformer): string {
  const { channels, normGroups, depth } = transformer
  const square = { inputs: channels, outputs: channels }
  const normed = groupNorm(blocks, `${path}.norm`, input, { channels, normGroups, epsilon: ENTRY_NORM_EPSILON })
  // a convolution of one pixel and a projection of rows are the same product
  let rows = project(blocks, `${path}.in`, toRows(blocks, path, normed, channels), square)
  for (let index = 0; index < depth; index++) rows = layer(blocks, `${path}.layer.${index}`, rows, transformer)
  const out = project(blocks, `${path}.out`, rows, square)
  return blocks.graph.node('Add', path, [input, toPixels(blocks, path, out, input)])
}

function layer(blocks: Blocks, path: string, input: string, transformer: PixelTransformer): string {
  const { channels: size, context } = transformer
  const norm = (name: string, rows: string): string =>
    layerNorm(blocks, `${path}.${name}`, rows, { size, epsilon: LAYER_NORM_EPSILON })
  const first = norm('norm_1', input)
  const itself = attention(blocks, `${path}.self`, first, transformer, { edge: first, size })
  const between = blocks.graph.node('Add', `${path}.after_self`, [input, itself])
  const across = attention(blocks, `${path}.cross`, norm('norm_2', between), transformer, context)
  const attended = blocks.graph.node('Add', `${path}.after_cross`, [between, across])
  const wide = gatedFeedForward(blocks, path, norm('norm_3', attended), size)
  return blocks.graph.node('Add', path, [attended, wide])
}

function attention(
  blocks: Blocks,
  path: string,
  rows: string,
  { channels: size, headCount }: PixelTransformer,
  other: Context
): string {
  const queries = projectPlainly(blocks, `${path}.q`, rows, { inputs: size, outputs: size })
  const [keys = '', values = ''] = ['k', 'v'].map(name =>
    projectPlainly(blocks, `${path}.${name}`, other.edge, { inputs: other.size, outputs: size })
  )
  const mixed = attend(blocks, path, { queries, keys, values, headCount, size })
  return project(blocks, `${path}.output`, mixed, { inputs: size, outputs: size })
}

/** GEGLU (Shazeer, arXiv:2002.05202): one half of what is projected, times GELU of the other. */
function gatedFeedForward(blocks: Blocks, path: string, rows: string, size: number): string {
  const { graph } = blocks
  const wide = WIDENING * size
  const both = project(blocks, `${path}.up`, rows, { inputs: size, outputs: 2 * wide })
  const [value, gate] = [`${path}.value`, `${path}.gate`]
  graph.nodeWithOutputs('Split', [value, gate], [both], { axis: 1, num_outputs: 2 })
  const bent = graph.node('Gelu', `${path}.gate_bent`, [gate])
  const product = graph.node('Mul', `${path}.gated`, [value, bent])
  return project(blocks, `${path}.down`, product, { inputs: wide, outputs: size })
}
