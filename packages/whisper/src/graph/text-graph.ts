import type { WhisperConfig } from '@resultity/interface'
import {
  attendAcross,
  attendWithCache,
  type CachedTextGraph,
  type CrossEdges,
  crossEdges,
  ElementType,
  feedForward,
  floatInitializer,
  GraphWriter,
  type LayerCache,
  type LocatedFile,
  layerNorm,
  requirePlain
} from '@resultity/onnx-graph'
import { EPSILON, locatedFiles, type WhisperGraphInit } from './edges.ts'

/** What writes the text of a window, as an ONNX model. A run adds N tokens to those that the cache has. */
export interface TextGraph extends CachedTextGraph {
  /** f32 `[1, alignmentHeads, N, audioContext]`: where these heads look, as a softmax. */
  readonly looks: string
}

/**
 * Builds the decoder of a Whisper (Radford et al., arXiv:2212.04356).
 *
 * @throws MeshError `model_invalid` for a missing tensor
 */
export function buildTextGraph(init: WhisperGraphInit): TextGraph {
  const { config, name } = init.manifest
  const { ends, decoderLayers } = locatedFiles(init)
  const graph = new GraphWriter()
  const tokens = graph.input('tokens', ElementType.int32, [1, 'positions'])
  const positions = graph.input('positions', ElementType.int64, ['positions'])
  const firstRow = graph.input('first_row', ElementType.int64, [1])
  const lastPosition = graph.input('last_position', ElementType.int32, [1])
  const totalPositions = graph.input('total_positions', ElementType.int32, [])
  let hidden = embedded(graph, ends, tokens, positions)
  const shape = { graph, headCount: config.decoderHeadCount, hiddenSize: config.hiddenSize, epsilon: EPSILON }
  const cross: CrossEdges[] = []
  const cache: { past: string; present: string }[] = []
  const weights: string[] = []
  for (const [index, located] of decoderLayers.entries()) {
    const layer = { ...shape, located }
    const kept = { ...cacheEdges(graph, config, index), lastPosition, totalPositions }
    cache.push({ past: kept.pastKey, present: kept.presentKey }, { past: kept.pastValue, present: kept.presentValue })
    cross.push(crossInputs(graph, config, index))
    const attended = attendAcross(layer, attendWithCache(layer, hidden, kept), crossEdges(index))
    weights.push(attended.weights)
    hidden = feedForward(layer, attended.hidden)
  }
  const logits = head(graph, config, ends, picked(graph, hidden, firstRow))
  const looks = alignment(graph, config, weights)
  const edges = { tokens, positions, firstRow, lastPosition, totalPositions, cross, cache, logits, looks }
  return { bytes: graph.finish(`${name} text`), ...edges }
}

/** The sum of a token and its position. */
function embedded(graph: GraphWriter, ends: LocatedFile, tokens: string, positions: string): string {
  const table = (name: string): string => floatInitializer(graph, ends, requirePlain(ends, name))
  const words = graph.node('Gather', 'words', [table('tokens'), tokens], { axis: 0 })
  const places = graph.node('Gather', 'places', [table('text_positions'), positions], { axis: 0 })
  return graph.node('Add', 'embedded', [words, places])
}

function cacheEdges(
  graph: GraphWriter,
  { hiddenSize, decoderHeadCount, textContext }: WhisperConfig,
  layer: number
): Omit<LayerCache, 'lastPosition' | 'totalPositions'> {
  const shape = [1, decoderHeadCount, textContext, hiddenSize / decoderHeadCount]
  const [pastKey = '', pastValue = ''] = ['key', 'value'].map(half =>
    graph.input(`past_${half}_${layer}`, ElementType.float32, shape)
  )
  const [presentKey = '', presentValue = ''] = ['key', 'value'].map(half => {
    graph.output(`present_${half}_${layer}`, ElementType.float32, shape)
    return `present_${half}_${layer}`
  })
  return { pastKey, pastValue, presentKey, presentValue }
}

function crossInputs(
  graph: GraphWriter,
  { hiddenSize, decoderHeadCount, audioContext }: WhisperConfig,
  layer: number
): CrossEdges {
  const edges = crossEdges(layer)
  const headDim = hiddenSize / decoderHeadCount
  graph.input(edges.keys, ElementType.float32, [1, decoderHeadCount, headDim, audioContext])
  graph.input(edges.values, ElementType.float32, [1, decoderHeadCount, audioContext, headDim])
  return edges
}

/** The rows from `firstRow` on. */
function picked(graph: GraphWriter, hidden: string, firstRow: string): string {
  const end = graph.constant('rows_end', BigInt64Array.of(2n ** 31n - 1n), [1])
  const axis = graph.constant('rows_axis', BigInt64Array.of(1n), [1])
  return graph.node('Slice', 'rows', [hidden, firstRow, end, axis])
}

/** By the embedding's matrix: only Gemm multiplies by a transpose, and it takes a matrix. */
function head(graph: GraphWriter, { vocabularySize }: WhisperConfig, ends: LocatedFile, rows: string): string {
  const normalized = layerNorm({ graph, located: ends, epsilon: EPSILON }, 'text_norm', rows)
  const batch = graph.constant('batch_axis', BigInt64Array.of(0n), [1])
  const states = graph.node('Squeeze', 'states', [normalized, batch])
  const matrix = floatInitializer(graph, ends, requirePlain(ends, 'tokens'))
  const logits = graph.node('Gemm', 'logits', [states, matrix], { transB: 1 })
  graph.output(logits, ElementType.float32, ['rows', vocabularySize])
  return logits
}

/** The weights of the alignment heads, in the order of the configuration. */
function alignment(
  graph: GraphWriter,
  { alignmentHeads, audioContext }: WhisperConfig,
  weights: readonly string[]
): string {
  const heads = alignmentHeads.map(([layer, head], index) => {
    const at = graph.constant(`alignment_head_${index}`, BigInt64Array.of(BigInt(head)), [1])
    return graph.node('Gather', `looks_${index}`, [weights[layer] ?? '', at], { axis: 1 })
  })
  graph.node('Concat', 'looks', heads, { axis: 1 })
  graph.output('looks', ElementType.float32, [1, alignmentHeads.length, 'positions', audioContext])
  return 'looks'
}
