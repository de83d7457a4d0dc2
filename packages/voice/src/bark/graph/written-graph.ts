import {
  attendWithCache,
  type CachedTextGraph,
  ElementType,
  feedForward,
  floatInitializer,
  GraphWriter,
  type LocatedFile,
  layerNorm,
  requirePlain,
  type TransformerLayer
} from '@resultity/onnx-graph'
import { type BarkGraphInit, EPSILON, locatedPart } from './located-bark.ts'

/** What writes semantic tokens of a text, or coarse codes of these, as an ONNX model. A run adds N tokens to those that the cache has. */
export interface BarkWrittenGraph extends CachedTextGraph {
  /** int32 `[1, N]`: tokens whose vectors are added to those of `tokens`; less than 0 for none. */
  readonly beside: string
  /** Outputs, where every state was asked for: f32 `[1, N, hiddenSize]` of the embedded tokens, behind each layer but the last, and normalized. */
  readonly states: readonly string[]
}

/**
 * Builds a causal transformer of Bark: GPT-2's (Radford et al., 2019), which at its beginning reads the sum of two tokens at each
 * position, of a text and of what its voice has said before.
 *
 * @throws MeshError `model_invalid` for a missing tensor
 */
export function buildBarkWrittenGraph(init: BarkGraphInit, part: 'semantic' | 'coarse'): BarkWrittenGraph {
  const { config, name } = init.manifest
  const { headCount, hiddenSize, context } = config[part]
  const { ends, layers } = locatedPart(init, part)
  const graph = new GraphWriter()
  const tokens = graph.input('tokens', ElementType.int32, [1, 'positions'])
  const beside = graph.input('beside', ElementType.int32, [1, 'positions'])
  const positions = graph.input('positions', ElementType.int64, ['positions'])
  const firstRow = graph.input('first_row', ElementType.int64, [1])
  const lastPosition = graph.input('last_position', ElementType.int32, [1])
  const totalPositions = graph.input('total_positions', ElementType.int32, [])
  const states = [embedded(graph, ends, { tokens, beside, positions })]
  const cache: { past: string; present: string }[] = []
  const shape = [1, headCount, context, hiddenSize / headCount]
  for (const [index, located] of layers.entries()) {
    const layer: TransformerLayer = { graph, located, headCount, hiddenSize, epsilon: EPSILON }
    const [key, value] = ['key', 'value'].map(half => {
      const edges = { past: `past_${half}_${index}`, present: `present_${half}_${index}` }
      graph.input(edges.past, ElementType.float32, shape)
      graph.output(edges.present, ElementType.float32, shape)
      cache.push(edges)
      return edges
    })
    const kept = {
      pastKey: key?.past ?? '',
      presentKey: key?.present ?? '',
      pastValue: value?.past ?? '',
      presentValue: value?.present ?? ''
    }
    const attended = attendWithCache(layer, states.at(-1) ?? '', { ...kept, lastPosition, totalPositions })
    states.push(feedForward(layer, attended))
  }
  // as the reference shows them: behind the last layer, normalized
  const normalized = layerNorm({ graph, located: ends, epsilon: EPSILON }, 'last_norm', states.pop() ?? '')
  states.push(normalized)
  const logits = head(graph, ends, normalized, firstRow)
  if (init.everyState === true) {
    for (const state of states) graph.output(state, ElementType.float32, [1, 'positions', hiddenSize])
  }
  const edges = { tokens, beside, positions, firstRow, lastPosition, totalPositions, cross: [], cache, logits, states }
  return { bytes: graph.finish(`${name} ${part}`), ...edges }
}

function embedded(
  graph: GraphWriter,
  ends: LocatedFile,
  { tokens, beside, positions }: { readonly tokens: string; readonly beside: string; readonly positions: string }
): string {
  const table = floatInitializer(graph, ends, requirePlain(ends, 'tokens'))
  const places = floatInitializer(graph, ends, requirePlain(ends, 'places'))
  const none = graph.constant('none', Float32Array.of(-0.5), [1])
  const zero = graph.constant('zero', Float32Array.of(0), [1])
  // those that are none look a vector up as well, and multiply it by nothing
  const number = graph.node('Cast', 'beside_number', [beside], { to: ElementType.float32 })
  const known = graph.node('Cast', 'beside_known', [graph.node('Max', 'beside_least', [number, zero])], {
    to: ElementType.int32
  })
  const there = graph.node('Cast', 'beside_there', [graph.node('Greater', 'beside_some', [number, none])], {
    to: ElementType.float32
  })
  const axis = graph.constant('last_axis', BigInt64Array.of(-1n), [1])
  const factor = graph.node('Unsqueeze', 'beside_factor', [there, axis])
  const others = graph.node('Mul', 'beside_vectors', [
    graph.node('Gather', 'beside_rows', [table, known], { axis: 0 }),
    factor
  ])
  const own = graph.node('Gather', 'token_rows', [table, tokens], { axis: 0 })
  const sum = graph.node('Add', 'token_sums', [own, others])
  return graph.node('Add', 'embedded', [sum, graph.node('Gather', 'place_rows', [places, positions], { axis: 0 })])
}

/** Logits of the rows from `firstRow` on: only Gemm multiplies by a transpose. */
function head(graph: GraphWriter, ends: LocatedFile, normalized: string, firstRow: string): string {
  const end = graph.constant('rows_end', BigInt64Array.of(2n ** 31n - 1n), [1])
  const axis = graph.constant('rows_axis', BigInt64Array.of(1n), [1])
  const rows = graph.node('Slice', 'rows', [normalized, firstRow, end, axis])
  const flat = graph.node('Squeeze', 'rows_flat', [rows, graph.constant('batch_axis', BigInt64Array.of(0n), [1])])
  const matrix = requirePlain(ends, 'head')
  const logits = graph.node('Gemm', 'logits', [flat, floatInitializer(graph, ends, matrix)], { transB: 1 })
  graph.output(logits, ElementType.float32, ['rows', matrix.shape[0] ?? 0])
  return logits
}
