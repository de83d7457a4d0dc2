import type { ModelConfig } from '@resultity/interface'
import type { GraphWriter } from './graph-writer.ts'
import { floatInitializer, type LocatedFile, requirePlain } from './projection.ts'

/** RMSNorm (Zhang & Sennrich, arXiv:1910.07467) of the last dimension of `input`, by the weights `tensorName`. */
export function normalize(
  graph: GraphWriter,
  config: ModelConfig,
  located: LocatedFile,
  tensorName: string,
  input: string
): string {
  const weight = floatInitializer(graph, located, requirePlain(located, tensorName))
  return graph.node('SimplifiedLayerNormalization', `${located.prefix}${tensorName}_out`, [input, weight], {
    axis: -1,
    epsilon: { float: config.rmsNormEpsilon }
  })
}
