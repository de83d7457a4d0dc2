import { type BlipConfig, lookedAtLength } from '@resultity/interface'
import {
  attendAcross,
  attendWithCache,
  type CachedTextGraph,
  type CrossEdges,
  crossEdges,
  ElementType,
  feedForward,
  findTensor,
  floatInitializer,
  GraphWriter,
  type LayerCache,
  type LocatedFile,
  layerNorm,
  project,
  requirePlain,
  type TransformerLayer
} from '@resultity/onnx-graph'
import { type BlipGraphInit, locatedFiles } from './located-files.ts'
import { embeddedTokens } from './text-states.ts'

/** What writes of a picture, as an ONNX model. A run adds N tokens to those that the cache has. */
export interface CaptionTextGraph extends CachedTextGraph {
  /** Outputs, where every state was asked for: f32 `[1, N, hiddenSize]` of the embedded tokens, and behind each layer. */
  readonly states: readonly string[]
}

/**
 * Builds the decoder of a BLIP (Li et al., arXiv:2201.12086): a BERT (Devlin et al., arXiv:1810.04805) of which each token sees
 * those before it, and in every layer what is written about.
 *
 * @throws MeshError `model_invalid` for a missing tensor
 */
export function buildCaptionTextGraph(init: BlipGraphInit): CaptionTextGraph {
  const { config, name } = init.manifest
  const { ends, writing } = locatedFiles(init)
  const graph = new GraphWriter()
  const tokens = graph.input('tokens', ElementType.int32, [1, 'positions'])
  const positions = graph.input('positions', ElementType.int64, ['positions'])
  const firstRow = graph.input('first_row', ElementType.int64, [1])
  const lastPosition = graph.input('last_position', ElementType.int32, [1])
  const totalPositions = graph.input('total_positions', ElementType.int32, [])
  const end = { graph, located: ends, epsilon: config.text.epsilon }
  const names = { tokens: 'tokens', places: 'text_places', norm: 'text_norm' }
  const states = [embeddedTokens(end, names, { tokens, positions })]
  const cross: CrossEdges[] = []
  const cache: { past: string; present: string }[] = []
  for (const [index, located] of writing.entries()) {
    const layer: TransformerLayer = { graph, located, ...config.text, norms: 'behind' }
    const kept = { ...cacheEdges(graph, config, index), lastPosition, totalPositions }
    cache.push({ past: kept.pastKey, present: kept.presentKey }, { past: kept.pastValue, present: kept.presentValue })
    cross.push(crossInputs(graph, config, index))
    const own = attendWithCache(layer, states.at(-1) ?? '', kept)
    states.push(feedForward(layer, attendAcross(layer, own, crossEdges(index)).hidden))
  }
  const logits = head(graph, config, ends, picked(graph, states.at(-1) ?? '', firstRow))
  if (init.everyState === true) {
    for (const state of states) graph.output(state, ElementType.float32, [1, 'positions', config.text.hiddenSize])
  }
  const edges = { tokens, positions, firstRow, lastPosition, totalPositions, cross, cache, logits, states }
  return { bytes: graph.finish(`${name} text`), ...edges }
}

function cacheEdges(
  graph: GraphWriter,
  { text, textContext }: BlipConfig,
  layer: number
): Omit<LayerCache, 'lastPosition' | 'totalPositions'> {
  const shape = [1, text.headCount, textContext, text.hiddenSize / text.headCount]
  const past = (half: string): string => graph.input(`past_${half}_${layer}`, ElementType.float32, shape)
  const present = (half: string): string => {
    graph.output(`present_${half}_${layer}`, ElementType.float32, shape)
    return `present_${half}_${layer}`
  }
  return {
    pastKey: past('key'),
    pastValue: past('value'),
    presentKey: present('key'),
    presentValue: present('value')
  }
}

/** Of the picture, or of a question as long as it is. */
function crossInputs(graph: GraphWriter, config: BlipConfig, layer: number): CrossEdges {
  const { headCount, hiddenSize } = config.text
  const edges = crossEdges(layer)
  const length = config.task === 'answer' ? 'question' : lookedAtLength(config)
  graph.input(edges.keys, ElementType.float32, [1, headCount, hiddenSize / headCount, length])
  graph.input(edges.values, ElementType.float32, [1, headCount, length, hiddenSize / headCount])
  return edges
}

/** The rows from `firstRow` on. */
function picked(graph: GraphWriter, hidden: string, firstRow: string): string {
  const end = graph.constant('rows_end', BigInt64Array.of(2n ** 31n - 1n), [1])
  const axis = graph.constant('rows_axis', BigInt64Array.of(1n), [1])
  return graph.node('Slice', 'rows', [hidden, firstRow, end, axis])
}

/** A layer of its own, and then the embedding's matrix or one like it: only Gemm multiplies by a transpose. */
function head(graph: GraphWriter, { text, vocabularySize }: BlipConfig, ends: LocatedFile, rows: string): string {
  const plain = (name: string): string => floatInitializer(graph, ends, requirePlain(ends, name))
  const turned = graph.node('BiasGelu', 'turned', [project(graph, ends, 'turned', rows), plain('turned_bias')])
  const normalized = layerNorm({ graph, located: ends, epsilon: text.epsilon }, 'turned_norm', turned)
  const batch = graph.constant('batch_axis', BigInt64Array.of(0n), [1])
  const states = graph.node('Squeeze', 'states', [normalized, batch])
  const matrix = plain(findTensor(ends, 'head') === undefined ? 'tokens' : 'head')
  const logits = graph.node('Gemm', 'logits', [states, matrix, plain('head_bias')], { transB: 1 })
  graph.output(logits, ElementType.float32, ['rows', vocabularySize])
  return logits
}
