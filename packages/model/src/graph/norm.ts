import type { ModelConfig } from '@resultity/interface'
import { floatInitializer, type GraphWriter, type LocatedFile, requirePlain } from '@resultity/onnx-graph'

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
