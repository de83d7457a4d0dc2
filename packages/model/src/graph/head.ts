import type { ModelManifest } from '@resultity/interface'
import { names, type Residual, skipNorm } from './decoder-layer.ts'
import type { GraphWriter } from './graph-writer.ts'
import { ElementType } from './onnx-schema.ts'
import { floatInitializer, type LocatedFile, projectQuantized, requireTensor } from './projection.ts'

export interface HeadInit {
  readonly located: LocatedFile
  /** The embedding's file, whose matrix a tied head multiplies by. */
  readonly embedding: LocatedFile
  readonly residual: Residual
  /** Positions to project: the last one of a run, or all (costly, for tests). */
  readonly rows: 'last' | 'all'
}

/** Final norm and projection to the vocabulary: output f32 `[rows, vocabulary]`. */
export function head(graph: GraphWriter, manifest: ModelManifest, init: HeadInit): void {
  const { config } = manifest
  const residual = { input: pick(graph, init.residual.input, init), skip: pick(graph, init.residual.skip, init) }
  const { normalized } = skipNorm(graph, config, init.located, 'final_norm', residual)
  const located = config.tiedEmbedding ? init.embedding : init.located
  const matrix = requireTensor(located, config.tiedEmbedding ? 'embedding' : 'head')
  if ('scales' in matrix) {
    projectQuantized(graph, located, matrix, { input: normalized, output: names.output })
  } else {
    graph.node('Gemm', names.output, [normalized, floatInitializer(graph, located, matrix)], { transB: 1 })
  }
  graph.output(names.output, ElementType.float32, ['rows', config.vocabularySize])
}

/** `[1, positions, hidden]` to `[rows, hidden]`. */
function pick(graph: GraphWriter, value: string, init: HeadInit): string {
  if (init.rows === 'last') {
    const last = graph.constant('last', BigInt64Array.of(-1n), [])
    return graph.node('Gather', `${value}_picked`, [value, last], { axis: 1 })
  }
  const batch = graph.constant('batch_axis', BigInt64Array.of(0n), [1])
  return graph.node('Squeeze', `${value}_picked`, [value, batch])
}
