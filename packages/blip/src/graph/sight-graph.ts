import { type BlipConfig, lookedAtLength } from '@resultity/interface'
import {
  attendAcross,
  attendToAll,
  type CrossEdges,
  crossEdges,
  ElementType,
  feedForward,
  floatInitializer,
  GraphWriter,
  keysAndValues,
  type LocatedFile,
  layerNorm,
  requirePlain,
  type TransformerLayer
} from '@resultity/onnx-graph'
import { type BlipGraphInit, type LocatedFiles, locatedFiles } from './located-files.ts'
import { patchStates } from './patch-states.ts'
import { embeddedTokens } from './text-states.ts'

/** What looks at a picture, and reads the question of it, as an ONNX model. */
export interface SightGraph {
  /** The serialized model. Weights are external data. */
  readonly bytes: Uint8Array
  /** f32 `[1, 3, imageSize, imageSize]`. */
  readonly pixels: string
  /** int32 `[1, N]` token ids and int64 `[N]` their positions, of a model that answers; of others undefined. */
  readonly question: { readonly tokens: string; readonly positions: string } | undefined
  /** Outputs: the keys and values of every decoder layer's cross attention. */
  readonly cross: readonly CrossEdges[]
  /** Outputs, where every state was asked for: f32 `[1, positions, hiddenSize]` of the patches, and behind each layer. */
  readonly seen: readonly string[]
  /** The same of the question. */
  readonly asked: readonly string[]
}

/**
 * Builds the encoder of a BLIP (Li et al., arXiv:2201.12086), which is a vision transformer (Dosovitskiy et al.,
 * arXiv:2010.11929), and behind it the projections to keys and values of all decoder layers: they are computed once a picture, and
 * not at every token. A model that answers has what reads the question between them.
 *
 * @throws MeshError `model_invalid` for a missing tensor
 */
export function buildSightGraph(init: BlipGraphInit): SightGraph {
  const { config, name } = init.manifest
  const files = locatedFiles(init)
  const graph = new GraphWriter()
  const pixels = graph.input('pixels', ElementType.float32, [1, 3, config.imageSize, config.imageSize])
  const seen = [patches(graph, config, files.ends, pixels)]
  const shape = { graph, ...config.vision }
  for (const located of files.looking) {
    const layer = { ...shape, located }
    seen.push(feedForward(layer, attendToAll(layer, seen.at(-1) ?? '')))
  }
  const picture = layerNorm({ ...shape, located: files.ends }, 'seen_norm', seen.at(-1) ?? '')
  const question = config.task === 'answer' ? read(graph, config, files, picture) : undefined
  const length = question === undefined ? lookedAtLength(config) : 'question'
  const about = question?.states.at(-1) ?? picture
  const cross = files.writing.map((located, index) => {
    const edges = keysAndValues({ graph, located, ...config.text }, about, crossEdges(index))
    return declared(graph, config, edges, length)
  })
  const asked = question?.states ?? []
  if (init.everyState === true) {
    for (const state of [...seen, picture])
      graph.output(state, ElementType.float32, [1, lookedAtLength(config), config.vision.hiddenSize])
    for (const state of asked) graph.output(state, ElementType.float32, [1, 'question', config.text.hiddenSize])
  }
  return {
    bytes: graph.finish(`${name} sight`),
    pixels,
    question: question?.inputs,
    cross,
    seen: [...seen, picture],
    asked
  }
}

/** A state for each patch and one before them for the whole, each with its place. */
function patches(graph: GraphWriter, config: BlipConfig, ends: LocatedFile, pixels: string): string {
  const states = patchStates(graph, ends, { ...config, hiddenSize: config.vision.hiddenSize }, pixels)
  const whole = graph.node('Unsqueeze', 'whole', [
    floatInitializer(graph, ends, requirePlain(ends, 'class')),
    graph.constant('first_axis', BigInt64Array.of(0n), [1])
  ])
  const all = graph.node('Concat', 'patches', [whole, states], { axis: 1 })
  return graph.node('Add', 'patches_placed', [all, floatInitializer(graph, ends, requirePlain(ends, 'places'))])
}

interface ReadQuestion {
  readonly inputs: { readonly tokens: string; readonly positions: string }
  /** Of the embedded tokens, and behind each layer. */
  readonly states: readonly string[]
}

/** The question, each token of it with the picture before it. */
function read(graph: GraphWriter, config: BlipConfig, { ends, asked }: LocatedFiles, picture: string): ReadQuestion {
  const tokens = graph.input('question', ElementType.int32, [1, 'question'])
  const positions = graph.input('question_positions', ElementType.int64, ['question'])
  const names = { tokens: 'asked_tokens', places: 'asked_places', norm: 'asked_norm' }
  const states = [embeddedTokens({ graph, located: ends, epsilon: config.text.epsilon }, names, { tokens, positions })]
  for (const located of asked) {
    const layer: TransformerLayer = { graph, located, ...config.text, norms: 'behind' }
    const own = attendToAll(layer, states.at(-1) ?? '')
    const { prefix } = located
    const edges = keysAndValues(layer, picture, { keys: `${prefix}cross_keys`, values: `${prefix}cross_values` })
    states.push(feedForward(layer, attendAcross(layer, own, edges).hidden))
  }
  return { inputs: { tokens, positions }, states }
}

function declared(graph: GraphWriter, { text }: BlipConfig, edges: CrossEdges, length: number | string): CrossEdges {
  const headDim = text.hiddenSize / text.headCount
  graph.output(edges.keys, ElementType.float32, [1, text.headCount, headDim, length])
  graph.output(edges.values, ElementType.float32, [1, text.headCount, length, headDim])
  return edges
}
