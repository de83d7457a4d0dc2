import type { PriorConfig } from '@resultity/interface'
import { ElementType, GraphWriter } from '@resultity/onnx-graph'
import { attend, type Blocks, integers, layerNorm, project, silu } from './blocks.ts'
import { type GraphInit, priorOf, weightsOf } from './graph-init.ts'
import { waves } from './waves.ts'

/** What makes embeddings of pictures of a text, as an ONNX model. */
export interface PriorGraph {
  /** The serialized model. Weights are external data. */
  readonly bytes: Uint8Array
  /** f32 `[1, embeddingSize]`. */
  readonly noisy: string
  /** f32 `[1]`: in training steps. */
  readonly timestep: string
  /** f32 `[length, embeddingSize]`. */
  readonly states: string
  /** f32 `[1, embeddingSize]`: of the whole text. */
  readonly pooled: string
  /** f32 `[1, length]`: 0 for a token that is looked at, {@link UNSEEN} for what only fills the text up. */
  readonly mask: string
  /** f32 `[1, embeddingSize]`: without noise, as far as it can be told. */
  readonly prediction: string
  /** f32 `[1, embeddingSize]`: the noisy one as the denoiser knows embeddings. */
  readonly embedding: string
  /** The states behind each layer, f32 `[length + 4, hiddenSize]`; outputs where they are watched. */
  readonly layers: readonly string[]
}

/** Added to the score of what is not to be seen, as priors were trained. */
export const UNSEEN = -10_000
/** As torch's LayerNorm has it; no prior says otherwise. */
const EPSILON = 1e-5
/** Times that the feed-forward is wider than its input. */
const WIDENING = 4
/** Positions behind the text: its vector, the time, the noisy embedding, and what is predicted. */
const ADDED = 4

/**
 * Builds a prior: a transformer that reads forward (Ramesh et al., arXiv:2204.06125, section 2.2).
 *
 * @throws MeshError `model_invalid` for a missing tensor, or a model without a prior
 */
export function buildPriorGraph(init: GraphInit): PriorGraph {
  const graph = new GraphWriter()
  const edges = priorGraph({ graph, weights: weightsOf(init, graph, 'prior') }, priorOf(init))
  const { hiddenSize, length } = priorOf(init)
  for (const edge of init.watched ?? []) graph.output(edge, ElementType.float32, [length + ADDED, hiddenSize])
  return { bytes: graph.finish(`${init.manifest.name} prior`), ...edges }
}

/** The graph's edges; what it asks for are the weights of a prior. */
export function priorGraph(blocks: Blocks, config: PriorConfig): Omit<PriorGraph, 'bytes'> {
  const { graph } = blocks
  const { embeddingSize, length, hiddenSize: size, layerCount } = config
  const noisy = graph.input('noisy', ElementType.float32, [1, embeddingSize])
  const timestep = graph.input('timestep', ElementType.float32, [1])
  const states = graph.input('states', ElementType.float32, [length, embeddingSize])
  const pooled = graph.input('pooled', ElementType.float32, [1, embeddingSize])
  const mask = graph.input('mask', ElementType.float32, [1, length])
  const into = (path: string, edge: string): string =>
    project(blocks, path, edge, { inputs: embeddingSize, outputs: size })
  const square = { inputs: size, outputs: size }
  const wide = project(blocks, 'time.1', waves(graph, 'time_waves', timestep, { count: 1, size }), square)
  const time = project(blocks, 'time.2', silu(blocks, wide), square)
  const predicted = blocks.weights.ask({ name: 'prd_embedding', kind: 'table', dims: [1, size] })
  const parts = [into('from_states', states), into('from_pooled', pooled), time, into('from_noisy', noisy), predicted]
  const places = blocks.weights.ask({ name: 'positional_embedding', kind: 'table', dims: [length + ADDED, size] })
  const joined = graph.node('Concat', 'joined', parts, { axis: 0 })
  let rows = graph.node('Add', 'placed', [joined, places])
  const bias = biasOf(blocks, config, mask)
  const layers: string[] = []
  for (let index = 0; index < layerCount; index++) {
    rows = layer(blocks, `layer.${index}`, rows, config, bias)
    layers.push(rows)
  }
  const last = graph.node('Gather', 'last', [rows, integers(graph, length + ADDED - 1)], { axis: 0 })
  const normed = layerNorm(blocks, 'norm', last, { size, epsilon: EPSILON })
  const prediction = project(blocks, 'prediction', normed, { inputs: size, outputs: embeddingSize })
  const [mean, deviation] = ['clip_mean', 'clip_std'].map(name =>
    blocks.weights.ask({ name, kind: 'table', dims: [1, embeddingSize] })
  )
  const scaled = graph.node('Mul', 'noisy_scaled', [noisy, deviation ?? ''])
  const embedding = graph.node('Add', 'embedding', [scaled, mean ?? ''])
  for (const output of [prediction, embedding]) graph.output(output, ElementType.float32, [1, embeddingSize])
  return { noisy, timestep, states, pooled, mask, prediction, embedding, layers }
}

/** What is added to scores: of what fills the text up, and of all that stands behind. */
function biasOf({ graph }: Blocks, { length }: PriorConfig, mask: string): string {
  const count = length + ADDED
  const behind = Float32Array.from({ length: count * count }, (_, at) =>
    at % count > Math.floor(at / count) ? UNSEEN : 0
  )
  const seen = graph.constant('added_mask', new Float32Array(ADDED), [1, ADDED])
  const whole = graph.node('Concat', 'whole_mask', [mask, seen], { axis: 1 })
  const sum = graph.node('Add', 'bias_rows', [graph.constant('behind', behind, [count, count]), whole])
  return graph.node('Reshape', 'bias', [sum, integers(graph, 1, 1, count, count)])
}

function layer(
  blocks: Blocks,
  path: string,
  input: string,
  { hiddenSize: size, headCount }: PriorConfig,
  bias: string
): string {
  const { graph } = blocks
  const square = { inputs: size, outputs: size }
  const first = layerNorm(blocks, `${path}.norm_1`, input, { size, epsilon: EPSILON })
  const [queries = '', keys = '', values = ''] = ['q', 'k', 'v'].map(name =>
    project(blocks, `${path}.self.${name}`, first, square)
  )
  const mixed = attend(blocks, path, { queries, keys, values, headCount, size, bias })
  const between = graph.node('Add', `${path}.after_self`, [
    input,
    project(blocks, `${path}.self.output`, mixed, square)
  ])
  const second = layerNorm(blocks, `${path}.norm_3`, between, { size, epsilon: EPSILON })
  const up = project(blocks, `${path}.up`, second, { inputs: size, outputs: WIDENING * size })
  const bent = graph.node('Gelu', `${path}.bent`, [up])
  const down = project(blocks, `${path}.down`, bent, { inputs: WIDENING * size, outputs: size })
  return graph.node('Add', path, [between, down])
}
