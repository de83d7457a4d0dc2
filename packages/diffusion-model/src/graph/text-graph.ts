import type { ClipTextConfig } from '@resultity/interface'
import { ElementType, GraphWriter } from '@resultity/onnx-graph'
import { attend, type Blocks, integers, layerNorm, project, projectPlainly } from './blocks.ts'
import { type GraphInit, weightsOf } from './graph-init.ts'

/** What makes states of a chunk of tokens, as an ONNX model. */
export interface TextEncoderGraph {
  /** The serialized model. Weights are external data. */
  readonly bytes: Uint8Array
  /** int32 `[1, length]`: one chunk, filled up. */
  readonly tokens: string
  /** f32 `[length, hiddenSize]`. */
  readonly states: string
  /** f32 `[1, pooledSize]`, where the encoder has one. */
  readonly pooled: string | undefined
}

/**
 * Builds a text encoder of CLIP (Radford et al., arXiv:2103.00020).
 *
 * @param index of the encoder in the model
 * @throws MeshError `model_invalid` for a missing tensor, or an encoder that the model has not
 */
export function buildTextEncoderGraph(init: GraphInit, index: number): TextEncoderGraph {
  const { config, name } = init.manifest
  const encoder = config.textEncoders[index]
  if (encoder === undefined) throw new RangeError(`${name} has ${config.textEncoders.length} text encoders`)
  const graph = new GraphWriter()
  const edges = textEncoderGraph({ graph, weights: weightsOf(init, graph, index) }, encoder)
  return { bytes: graph.finish(`${name} text ${index}`), ...edges }
}

/** The graph's edges; what it asks for are the weights of a text encoder. */
export function textEncoderGraph(blocks: Blocks, config: ClipTextConfig): Omit<TextEncoderGraph, 'bytes'> {
  const { graph } = blocks
  const { length, hiddenSize, layerCount, pooledSize } = config
  const tokens = graph.input('tokens', ElementType.int32, [1, length])
  const flat = graph.node('Reshape', 'tokens_flat', [tokens, integers(graph, length)])
  let rows = embedded(blocks, config, flat)
  const before: string[] = []
  // the last layer is left out where nothing is made of it
  const needed = config.states === 'second_last' && pooledSize === undefined ? layerCount - 1 : layerCount
  for (let index = 0; index < needed; index++) {
    before.push(rows)
    rows = clipLayer(blocks, `layer.${index}`, rows, { ...config, causal: true })
  }
  const ending = { size: hiddenSize, epsilon: config.epsilon }
  const last = needed < layerCount ? undefined : layerNorm(blocks, 'norm', rows, ending)
  const early = last === undefined ? rows : before.at(-1)
  const taken = (config.states === 'last' ? last : early) ?? rows
  const states = graph.node('Identity', 'states', [taken])
  graph.output(states, ElementType.float32, [length, hiddenSize])
  if (pooledSize === undefined || last === undefined) return { tokens, states, pooled: undefined }
  const pooled = atEnd(blocks, config, { flat, rows: last, pooledSize })
  graph.output(pooled, ElementType.float32, [1, pooledSize])
  return { tokens, states, pooled }
}

/** The sum of a token and its position. */
function embedded({ graph, weights }: Blocks, config: ClipTextConfig, tokens: string): string {
  const { vocabularySize, hiddenSize, length } = config
  const words = weights.ask({ name: 'tokens_table', kind: 'table', dims: [vocabularySize, hiddenSize] })
  const positions = weights.ask({ name: 'positions_table', kind: 'table', dims: [length, hiddenSize] })
  const found = graph.node('Gather', 'words', [words, tokens], { axis: 0 })
  return graph.node('Add', 'embedded', [found, positions])
}

/** A layer of a transformer of CLIP, of text or of pictures. */
export interface ClipLayer
  extends Pick<ClipTextConfig, 'hiddenSize' | 'headCount' | 'intermediateSize' | 'activation' | 'epsilon'> {
  readonly causal: boolean
}

/** Rows behind a layer: each attends to the others, or to those before it, and is made wide and narrow again. */
export function clipLayer(blocks: Blocks, path: string, input: string, config: ClipLayer): string {
  const { graph } = blocks
  const { hiddenSize: size, headCount, intermediateSize, causal } = config
  const square = { inputs: size, outputs: size }
  const norm = (name: string, rows: string): string =>
    layerNorm(blocks, `${path}.${name}`, rows, { size, epsilon: config.epsilon })
  const first = norm('norm_1', input)
  const [queries = '', keys = '', values = ''] = ['q', 'k', 'v'].map(name =>
    project(blocks, `${path}.self.${name}`, first, square)
  )
  const mixed = attend(blocks, path, { queries, keys, values, headCount, size, causal })
  const attended = project(blocks, `${path}.self.output`, mixed, square)
  const between = graph.node('Add', `${path}.after_self`, [input, attended])
  const wide = { inputs: size, outputs: intermediateSize }
  const up = project(blocks, `${path}.up`, norm('norm_2', between), wide)
  const bent = bend(graph, `${path}.bent`, up, config.activation)
  const down = project(blocks, `${path}.down`, bent, { inputs: intermediateSize, outputs: size })
  return graph.node('Add', path, [between, down])
}

/** `x · sigmoid(1.702 x)`, as CLIP was trained, or GELU with the error function, as OpenCLIP was. */
function bend(graph: GraphWriter, output: string, input: string, activation: ClipTextConfig['activation']): string {
  if (activation === 'gelu') return graph.node('Gelu', output, [input])
  return graph.node('QuickGelu', output, [input], { alpha: { float: 1.702 } })
}

/** The state at the first end token, projected. */
function atEnd(
  blocks: Blocks,
  { endToken, hiddenSize }: ClipTextConfig,
  { flat, rows, pooledSize }: { readonly flat: string; readonly rows: string; readonly pooledSize: number }
): string {
  const { graph } = blocks
  const wide = graph.node('Cast', 'tokens_wide', [flat], { to: ElementType.int64 })
  const ends = graph.node('Equal', 'is_end', [wide, integers(graph, endToken)])
  const marks = graph.node('Cast', 'end_marks', [ends], { to: ElementType.int32 })
  const index = graph.node('ArgMax', 'end_index', [marks], { axis: 0, keepdims: 1 })
  const state = graph.node('Gather', 'end_state', [rows, index], { axis: 0 })
  return projectPlainly(blocks, 'pooled', state, { inputs: hiddenSize, outputs: pooledSize })
}
