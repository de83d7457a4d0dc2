import type { DecoderManifest } from '@resultity/interface'
import {
  ElementType,
  floatInitializer,
  type GraphWriter,
  type LocatedFile,
  projectQuantized,
  requireTensor
} from '@resultity/onnx-graph'
import { type Residual, skipNorm } from './decoder-layer.ts'
import { names } from './names.ts'

export interface HeadInit {
  readonly located: LocatedFile
  /** The embedding's file, whose matrix a tied head multiplies by. */
  readonly embedding: LocatedFile
  readonly residual: Residual
  /** Positions to project: the last one of a run, or all (costly, for tests). */
  readonly rows: 'last' | 'all'
}

/** Final norm and projection to the vocabulary: output f32 `[batch, rows, vocabulary]`. */
export function head(graph: GraphWriter, manifest: DecoderManifest, init: HeadInit): void {
  const { config } = manifest
  const residual = { input: pick(graph, init.residual.input, init), skip: pick(graph, init.residual.skip, init) }
  const { normalized } = skipNorm(graph, config, init.located, 'final_norm', residual)
  const located = config.tiedEmbedding ? init.embedding : init.located
  const matrix = requireTensor(located, config.tiedEmbedding ? 'embedding' : 'head')
  const cap = config.traits?.logitSoftcap
  const output = cap === undefined ? names.output : 'logits_uncapped'
  if ('scales' in matrix) {
    projectQuantized(graph, located, matrix, { input: normalized, output })
  } else {
    projectPlain(graph, { input: normalized, output }, floatInitializer(graph, located, matrix), init.rows)
  }
  if (cap !== undefined) bend(graph, { input: output, output: names.output }, cap)
  graph.output(names.output, ElementType.float32, ['batch', 'rows', config.vocabularySize])
}

interface Edges {
  readonly input: string
  readonly output: string
}

/** Into (−cap, cap): cap · tanh(x / cap). */
function bend(graph: GraphWriter, { input, output }: Edges, cap: number): void {
  const scale = graph.constant('logit_cap', Float32Array.of(cap), [1])
  const bent = graph.node('Tanh', 'logits_bent', [graph.node('Div', 'logits_scaled', [input, scale])])
  graph.node('Mul', output, [bent, scale])
}

/**
 * By a matrix `[vocabulary, hidden]`: only Gemm multiplies by a transpose, and it takes a matrix. Of a batch, each session
 * has one row in it; where all positions of a run are projected, the batch is of one.
 */
function projectPlain(graph: GraphWriter, { input, output }: Edges, matrix: string, rows: HeadInit['rows']): void {
  const axis = graph.constant('head_axis', BigInt64Array.of(rows === 'last' ? 1n : 0n), [1])
  const states = graph.node('Squeeze', 'head_in', [input, axis])
  const logits = graph.node('Gemm', 'head_out', [states, matrix], { transB: 1 })
  graph.node('Unsqueeze', output, [logits, axis])
}

/** `[batch, positions, hidden]` to `[batch, rows, hidden]`. */
function pick(graph: GraphWriter, value: string, init: HeadInit): string {
  if (init.rows === 'all') return value
  const last = graph.constant('last', BigInt64Array.of(-1n), [1])
  return graph.node('Gather', `${value}_picked`, [value, last], { axis: 1 })
}
