import type { GraphWriter } from './graph-writer.ts'
import { floatInitializer, type LocatedFile, project, projectWithBias, requirePlain } from './projection.ts'

/**
 * Parts of a transformer layer with biases: projections, GELU, the part's input added to what comes out,
 * and a LayerNorm. That stands before each part as GPT-2 has it (Radford et al., 2019), and encoders and decoders of speech after
 * it; or behind the sum, as BERT has it (Devlin et al., arXiv:1810.04805).
 *
 * Each takes and gives the hidden state f32 `[1, positions, hidden]`, and reads its tensors from one weight file:
 * `NAME_norm`, `qkv`, `output`, `cross_q`, `cross_output`, `up` and `down`, each with its `…_bias`.
 */
export interface TransformerLayer {
  readonly graph: GraphWriter
  readonly located: LocatedFile
  readonly headCount: number
  /** Numbers of one position; a multiple of {@link headCount}. */
  readonly hiddenSize: number
  /** Added to the variance. */
  readonly epsilon: number
  /** Where each part's LayerNorm stands. Default `before`. */
  readonly norms?: 'before' | 'behind'
  /** Default: GELU with the error function; else its approximation with the hyperbolic tangent. */
  readonly activation?: 'gelu' | 'gelu_tanh'
}

/** A part of a layer, and its tensors' name in `NAME_norm`. */
type Part = 'attention' | 'cross' | 'feed_forward'

/** A layer's keys and values of the positions before, f32 `[1, heads, capacity, headDim]`, and those with the run's added. */
export interface LayerCache {
  readonly pastKey: string
  readonly pastValue: string
  readonly presentKey: string
  readonly presentValue: string
  /** int32 `[1]`: index of the run's last position. */
  readonly lastPosition: string
  /** int32 scalar: positions in the cache after the run. */
  readonly totalPositions: string
}

/** Keys and values of another sequence. */
export interface CrossInputs {
  /** f32 `[1, heads, headDim, length]`: transposed, as the product with the queries reads them. */
  readonly keys: string
  /** f32 `[1, heads, length, headDim]`. */
  readonly values: string
}

/** LayerNorm (Ba et al., arXiv:1607.06450) by the weights `name`. */
export function layerNorm(
  { graph, located, epsilon }: Pick<TransformerLayer, 'graph' | 'located' | 'epsilon'>,
  name: string,
  input: string
): string {
  const weights = [name, `${name}_bias`].map(each => weight(graph, located, each))
  return graph.node('LayerNormalization', `${located.prefix}${name}_out`, [input, ...weights], {
    axis: -1,
    epsilon: { float: epsilon }
  })
}

/** Every position attends to every other. */
export function attendToAll(layer: TransformerLayer, input: string): string {
  const { graph, located, headCount, hiddenSize } = layer
  const edge = (name: string): string => `${located.prefix}${name}`
  const projected = project(graph, located, 'qkv', taken(layer, 'attention', input))
  const heads = ['q', 'k', 'v'].map(name => edge(`${name}_in`))
  const sizes = BigInt64Array.of(BigInt(hiddenSize), BigInt(hiddenSize), BigInt(hiddenSize))
  graph.nodeWithOutputs('Split', heads, [projected, graph.constant('qkv_sizes', sizes, [3])], { axis: 2 })
  const bias = weight(graph, located, 'qkv_bias')
  const attended = graph.node('MultiHeadAttention', edge('attended'), [...heads, bias], { num_heads: headCount })
  return added(layer, input, 'attention', projectWithBias(graph, located, 'output', attended))
}

/** Every position attends to itself and to those before, whose keys and values are kept in place. */
export function attendWithCache(layer: TransformerLayer, input: string, cache: LayerCache): string {
  const { graph, located, headCount } = layer
  const packed = projectWithBias(graph, located, 'qkv', taken(layer, 'attention', input))
  const attended = `${located.prefix}attended`
  graph.nodeWithOutputs(
    'GroupQueryAttention',
    [attended, cache.presentKey, cache.presentValue],
    [packed, '', '', cache.pastKey, cache.pastValue, cache.lastPosition, cache.totalPositions],
    { num_heads: headCount, kv_num_heads: headCount, do_rotary: 0, rotary_interleaved: 0 }
  )
  return added(layer, input, 'attention', projectWithBias(graph, located, 'output', attended))
}

/**
 * Every position attends to all of another sequence.
 *
 * @returns the hidden state, and the weights f32 `[1, heads, positions, length]`, each row of sum 1
 */
export function attendAcross(
  layer: TransformerLayer,
  input: string,
  { keys, values }: CrossInputs
): { readonly hidden: string; readonly weights: string } {
  const { graph, located, headCount, hiddenSize } = layer
  const edge = (name: string): string => `${located.prefix}cross_${name}`
  const headDim = hiddenSize / headCount
  const shape = (name: string, ...sizes: number[]): string =>
    graph.constant(name, BigInt64Array.from(sizes, BigInt), [sizes.length])
  const projected = projectWithBias(graph, located, 'cross_q', taken(layer, 'cross', input))
  // scaled by itself: the runtime has a fast product of one row and a matrix where nothing is to be scaled
  const scale = graph.constant('cross_scale', Float32Array.of(1 / Math.sqrt(headDim)), [1])
  const scaled = graph.node('Mul', edge('scaled'), [projected, scale])
  const apart = graph.node('Reshape', edge('apart'), [scaled, shape('heads_apart', 0, 0, headCount, headDim)])
  const queries = graph.node('Transpose', edge('queries'), [apart], { perm: [0, 2, 1, 3] })
  const scores = graph.node('MatMul', edge('scores'), [queries, keys])
  const weights = graph.node('Softmax', edge('weights'), [scores], { axis: -1 })
  const mixed = graph.node('MatMul', edge('mixed'), [weights, values])
  const together = graph.node('Transpose', edge('together'), [mixed], { perm: [0, 2, 1, 3] })
  const attended = graph.node('Reshape', edge('attended'), [together, shape('heads_together', 0, 0, hiddenSize)])
  return { hidden: added(layer, input, 'cross', projectWithBias(graph, located, 'cross_output', attended)), weights }
}

/**
 * What {@link attendAcross} reads of another sequence, f32 `[1, length, size]`: the tensors `cross_kv`, of keys and of values
 * one after the other.
 *
 * @returns `edges`
 */
export function keysAndValues(layer: TransformerLayer, states: string, edges: CrossInputs): CrossInputs {
  const { graph, located, headCount, hiddenSize } = layer
  const edge = (name: string): string => `${located.prefix}${name}`
  const integers = (name: string, ...values: number[]): string =>
    graph.constant(name, BigInt64Array.from(values, BigInt), [values.length])
  const both = projectWithBias(graph, located, 'cross_kv', states)
  const halves = [edge('cross_k'), edge('cross_v')]
  graph.nodeWithOutputs('Split', halves, [both, integers('kv_sizes', hiddenSize, hiddenSize)], { axis: 2 })
  const shape = integers('cross_apart', 0, 0, headCount, hiddenSize / headCount)
  const [keys, values] = halves.map(half => graph.node('Reshape', `${half}_apart`, [half, shape]))
  graph.node('Transpose', edges.keys, [keys ?? ''], { perm: [0, 2, 3, 1] })
  graph.node('Transpose', edges.values, [values ?? ''], { perm: [0, 2, 1, 3] })
  return edges
}

/** Two projections with GELU (Hendrycks & Gimpel, arXiv:1606.08415) between them. */
export function feedForward(layer: TransformerLayer, input: string): string {
  const { graph, located } = layer
  const wide = project(graph, located, 'up', taken(layer, 'feed_forward', input))
  const bent = graph.node(layer.activation === 'gelu_tanh' ? 'FastGelu' : 'BiasGelu', `${located.prefix}bent`, [
    wide,
    weight(graph, located, 'up_bias')
  ])
  return added(layer, input, 'feed_forward', projectWithBias(graph, located, 'down', bent))
}

/** @throws MeshError `model_invalid` when the tensor is missing or quantized */
function weight(graph: GraphWriter, located: LocatedFile, name: string): string {
  return floatInitializer(graph, located, requirePlain(located, name))
}

/** What a part computes of. */
function taken(layer: TransformerLayer, part: Part, input: string): string {
  return layer.norms === 'behind' ? input : layerNorm(layer, `${part}_norm`, input)
}

function added(layer: TransformerLayer, input: string, part: Part, output: string): string {
  const sum = layer.graph.node('Add', `${layer.located.prefix}after_${part}`, [input, output])
  return layer.norms === 'behind' ? layerNorm(layer, `${part}_norm`, sum) : sum
}
