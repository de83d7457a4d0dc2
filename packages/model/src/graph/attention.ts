import { attendsByGroups, type LayerTraits, type ModelConfig } from '@resultity/interface'
import {
  type Attribute,
  findTensor,
  GraphWriter,
  type LocatedFile,
  project,
  projectWithBias
} from '@resultity/onnx-graph'
import { names } from './names.ts'
import { normalize } from './norm.ts'
import type { RopeName } from './rotary.ts'

/**
 * Grouped-query attention (Ainslie et al., arXiv:2305.13245) over the cache, which it extends in place.
 *
 * The runtime's operator reads a KV head's cache once for each of its query heads, and for a long context that is most
 * of a decode step. So graphs of models with large groups have a second way for a single position: the group's heads
 * as one matrix, which reads the cache once. The input `group_heads` chooses, the same way for all layers.
 * The second way has the values a second time, transposed, and brings them up to date by itself.
 *
 * @param input name of the normalized hidden state
 * @returns name of the heads' outputs, `[batch, positions, headCount · headDim]`
 */
export function attention(
  graph: GraphWriter,
  config: ModelConfig,
  layer: number,
  located: LocatedFile,
  input: string
): string {
  const output = `${located.prefix}attention_out`
  const outputs = [output, names.presentKey(layer), names.presentValue(layer)]
  const heads = projectHeads(graph, config, located, input)
  if (!attendsByGroups(config)) {
    eachHead(graph, config, layer, heads, outputs)
    return output
  }
  const byHead = new GraphWriter()
  const byHeadOutputs = outputs.map(name => `${name}_by_head`)
  eachHead(byHead, config, layer, heads, byHeadOutputs)
  const untouched = `${names.presentTransposed(layer)}_by_head`
  byHead.node('Identity', untouched, [names.pastTransposed(layer)])
  const byGroup = new GraphWriter()
  const byGroupOutputs = outputs.map(name => `${name}_by_group`)
  const transposed = `${names.presentTransposed(layer)}_by_group`
  eachGroup(byGroup, config, layer, heads, [...byGroupOutputs, transposed])
  graph.choice(names.groupHeads, [...outputs, names.presentTransposed(layer)], {
    // the runtime allocates a branch's outputs where those of the choice are bound, so the cache stays in place
    whenTrue: { graph: byGroup, outputs: [...byGroupOutputs, transposed] },
    whenFalse: { graph: byHead, outputs: [...byHeadOutputs, untouched] }
  })
  return output
}

/** Queries, keys and values before they are rotated: three edges, or one with all three. */
function projectHeads(graph: GraphWriter, config: ModelConfig, located: LocatedFile, input: string): string[] {
  const { attentionBias, headNorms } = config.traits ?? {}
  const projected = (name: string): string =>
    attentionBias === true ? projectWithBias(graph, located, name, input) : project(graph, located, name, input)
  const packed = findTensor(located, 'qkv') !== undefined
  const heads = packed ? [projected('qkv')] : ['q', 'k', 'v'].map(projected)
  if (headNorms !== true) return heads
  const edge = (name: string): string => `${located.prefix}${name}_split`
  const [query = '', key = '', value = ''] = packed ? splitHeads(graph, config, heads[0] ?? '', edge) : heads
  return [
    normalizeHeads(graph, config, located, { norm: 'q_norm', heads: query, count: config.headCount }),
    normalizeHeads(graph, config, located, { norm: 'k_norm', heads: key, count: config.kvHeadCount }),
    value
  ]
}

/** Each head normalized by itself: `[1, positions, count · headDim]` as before. */
function normalizeHeads(
  graph: GraphWriter,
  config: ModelConfig,
  located: LocatedFile,
  { norm, heads, count }: { readonly norm: string; readonly heads: string; readonly count: number }
): string {
  const shape = (name: string, ...sizes: number[]): string =>
    graph.constant(`${norm}_${name}`, BigInt64Array.from(sizes, BigInt), [sizes.length])
  const apart = graph.node('Reshape', `${located.prefix}${norm}_in`, [
    heads,
    shape('apart', 0, 0, count, config.headDim)
  ])
  const normalized = normalize(graph, config, located, norm, apart)
  return graph.node('Reshape', `${located.prefix}${norm}_heads`, [normalized, shape('joined', 0, 0, -1)])
}

/** The rotary embedding that a layer's queries and keys are rotated by. */
export function ropeOfLayer({ traits }: ModelConfig, layer: number): RopeName | 'none' {
  return traits?.layers?.[layer]?.rope ?? 'model'
}

/** What scores are multiplied by. */
function scoreScale({ headDim, traits }: ModelConfig): number {
  return traits?.attentionScale ?? 1 / Math.sqrt(headDim)
}

/** The runtime's own operator. `heads` is q, k and v, or one edge with all three. */
function eachHead(
  graph: GraphWriter,
  config: ModelConfig,
  layer: number,
  heads: readonly string[],
  outputs: readonly string[]
): void {
  const [query = '', key = '', value = ''] = heads
  const cache = [names.pastKey(layer), names.pastValue(layer)]
  const rope = ropeOfLayer(config, layer)
  const positions: string[] = [names.lastPosition, names.totalPositions]
  if (rope !== 'none') positions.push(names.cos(rope), names.sin(rope))
  graph.nodeWithOutputs('GroupQueryAttention', outputs, [query, key, value, ...cache, ...positions], {
    num_heads: config.headCount,
    kv_num_heads: config.kvHeadCount,
    do_rotary: rope === 'none' ? 0 : 1,
    rotary_interleaved: 0,
    ...scoreAttributes(config, config.traits?.layers?.[layer] ?? {})
  })
}

/** Attributes of a model that scores otherwise than Llama. */
function scoreAttributes({ traits = {} }: ModelConfig, { window }: LayerTraits): Record<string, Attribute> {
  const { attentionScale, attentionSoftcap } = traits
  return {
    ...(attentionScale === undefined ? {} : { scale: { float: attentionScale } }),
    ...(attentionSoftcap === undefined ? {} : { softcap: { float: attentionSoftcap } }),
    ...(window === undefined ? {} : { local_window_size: window })
  }
}

/**
 * Edges that all layers share when they attend by groups; `closed` are the scores of what the cache holds behind the run,
 * `[1, kvHeadCount, C - total, headCount / kvHeadCount]`, all −∞.
 */
export function prepareGroups(graph: GraphWriter): void {
  graph.node('Add', names.end, [names.position, graph.constant('one', BigInt64Array.of(1n), [1])])
  const lowest = graph.constant('lowest', Float32Array.of(Number.NEGATIVE_INFINITY), [1])
  graph.node('Expand', names.closed, [lowest, names.closedShape])
}

/**
 * A single position of one session, all query heads of a KV head as the columns of one matrix. Outputs: attended, key cache, value cache,
 * transposed values.
 *
 * The cache is the left matrix of both products, for that is read as it lies; a right matrix is copied into blocks first.
 * So the products need the values transposed.
 */
function eachGroup(
  graph: GraphWriter,
  config: ModelConfig,
  layer: number,
  heads: readonly string[],
  outputs: readonly string[]
): void {
  const { headCount, kvHeadCount, headDim } = config
  const rope = ropeOfLayer(config, layer)
  const [attended = '', presentKey = '', presentValue = '', presentTransposed = ''] = outputs
  const edge = (name: string): string => `${attended}_${name}`
  const [query, key, value] = heads.length === 3 ? heads : splitHeads(graph, config, heads[0] ?? '', edge)
  const rotate = (name: string, input: string, count: number): string =>
    rope === 'none'
      ? input
      : graph.node('RotaryEmbedding', edge(name), [input, names.position, names.cos(rope), names.sin(rope)], {
          num_heads: count,
          rotary_embedding_dim: headDim,
          interleaved: 0
        })
  const integers = (name: string, ...values: number[]): string =>
    graph.constant(name, BigInt64Array.from(values, BigInt), [values.length])
  const group = headCount / kvHeadCount
  const groupShape = integers('group_shape', 1, kvHeadCount, group, headDim)
  const rowShape = integers('row_shape', 1, kvHeadCount, 1, headDim)
  const queries = graph.node('Reshape', edge('queries'), [rotate('q_rotated', query ?? '', headCount), groupShape])
  const keyRow = graph.node('Reshape', edge('key_row'), [rotate('k_rotated', key ?? '', kvHeadCount), rowShape])
  const valueRow = graph.node('Reshape', edge('value_row'), [value ?? '', rowShape])
  graph.node('TensorScatter', presentKey, [names.pastKey(layer), keyRow, names.position], { axis: 2 })
  graph.node('TensorScatter', presentValue, [names.pastValue(layer), valueRow, names.position], { axis: 2 })
  const added = graph.node('Slice', edge('added_values'), [
    presentValue,
    names.transposedEnd,
    names.end,
    integers('position_axis', 2)
  ])
  const columns = graph.node('Transpose', edge('value_columns'), [added], { perm: [0, 1, 3, 2] })
  graph.node('TensorScatter', presentTransposed, [names.pastTransposed(layer), columns, names.transposedEnd], {
    axis: 3
  })
  const byPosition = graph.node('FusedMatMul', edge('scores_by_position'), [presentKey, queries], {
    transB: 1,
    alpha: { float: scoreScale(config) }
  })
  const open = graph.node('TensorScatter', edge('open'), [byPosition, names.closed, names.end], { axis: 2 })
  const scores = graph.node('Transpose', edge('scores'), [open], { perm: [0, 1, 3, 2] })
  const weights = graph.node('Softmax', edge('weights'), [scores], { axis: -1 })
  const mixedColumns = graph.node('FusedMatMul', edge('mixed_columns'), [presentTransposed, weights], { transB: 1 })
  const mixed = graph.node('Transpose', edge('mixed'), [mixedColumns], { perm: [0, 1, 3, 2] })
  graph.node('Reshape', attended, [mixed, integers('attended_shape', 1, 1, headCount * headDim)])
}

function splitHeads(
  graph: GraphWriter,
  { headCount, kvHeadCount, headDim }: ModelConfig,
  packed: string,
  edge: (name: string) => string
): string[] {
  const sizes = BigInt64Array.from([headCount, kvHeadCount, kvHeadCount], count => BigInt(count * headDim))
  const outputs = ['q', 'k', 'v'].map(edge)
  graph.nodeWithOutputs('Split', outputs, [packed, graph.constant('head_sizes', sizes, [3])], { axis: 2 })
  return outputs
}
