import {
  attendToAll,
  ElementType,
  feedForward,
  floatInitializer,
  GraphWriter,
  layerNorm,
  requirePlain,
  type TransformerLayer
} from '@resultity/onnx-graph'
import { type BarkGraphInit, EPSILON, locatedPart } from './located-bark.ts'

/** What says codes of one more codebook, of all frames at once, as an ONNX model. */
export interface BarkFineGraph {
  /** The serialized model. Weights are external data. */
  readonly bytes: Uint8Array
  /** int32 `[frames, books]`: of each frame a row of the table for each codebook that is known, and for the one that is asked about. */
  readonly rows: string
  /** int32 `[vocabularySize]`: the rows of the table that are the codes of the codebook that is asked about. */
  readonly answers: string
  /** f32 `[frames, vocabularySize]`. */
  readonly logits: string
  /** Outputs, where every state was asked for, as of `BarkWrittenGraph`. */
  readonly states: readonly string[]
}

/**
 * Builds the fine transformer of Bark, in which every frame sees every other. The tables of its codebooks lie one after the other, and
 * each is the head of its codebook too.
 *
 * @throws MeshError `model_invalid` for a missing tensor
 */
export function buildBarkFineGraph(init: BarkGraphInit): BarkFineGraph {
  const { name, config } = init.manifest
  const { headCount, hiddenSize, vocabularySize } = config.fine
  const { ends, layers } = locatedPart(init, 'fine')
  const graph = new GraphWriter()
  const rows = graph.input('rows', ElementType.int32, ['frames', 'books'])
  const answers = graph.input('answers', ElementType.int32, [vocabularySize])
  const table = floatInitializer(graph, ends, requirePlain(ends, 'tokens'))
  const places = floatInitializer(graph, ends, requirePlain(ends, 'places'))
  const found = graph.node('Gather', 'code_rows', [table, rows], { axis: 0 })
  const books = graph.constant('books_axis', BigInt64Array.of(1n), [1])
  const sums = graph.node('ReduceSum', 'code_sums', [found, books], { keepdims: 0 })
  // as many places as there are frames
  const count = graph.node('Shape', 'frame_count', [rows], { start: 0, end: 1 })
  const zero = graph.constant('zero', BigInt64Array.of(0n), [1])
  const own = graph.node('Slice', 'own_places', [places, zero, count, zero])
  const placed = graph.node('Unsqueeze', 'embedded', [graph.node('Add', 'placed', [sums, own]), zero])
  const states = [placed]
  for (const located of layers) {
    const layer: TransformerLayer = { graph, located, headCount, hiddenSize, epsilon: EPSILON }
    states.push(feedForward(layer, attendToAll(layer, states.at(-1) ?? '')))
  }
  const normalized = layerNorm({ graph, located: ends, epsilon: EPSILON }, 'last_norm', states.pop() ?? '')
  states.push(normalized)
  const flat = graph.node('Squeeze', 'flat', [normalized, zero])
  const head = graph.node('Gather', 'head', [table, answers], { axis: 0 })
  const logits = graph.node('Gemm', 'logits', [flat, head], { transB: 1 })
  graph.output(logits, ElementType.float32, ['frames', vocabularySize])
  if (init.everyState === true) {
    for (const state of states) graph.output(state, ElementType.float32, [1, 'frames', hiddenSize])
  }
  return { bytes: graph.finish(`${name} fine`), rows, answers, logits, states }
}
