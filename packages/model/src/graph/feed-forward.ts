import type { ModelConfig } from '@resultity/interface'
import { findTensor, type GraphWriter, type LocatedFile, project } from '@resultity/onnx-graph'

/** What a feed-forward takes of a model's configuration; an expert has a size of its own. */
export type FeedForwardSizes = Pick<ModelConfig, 'traits' | 'intermediateSize'>

/**
 * A gated feed-forward (Shazeer, arXiv:2002.05202): `(activation(x · gate) ⊙ (x · up)) · down`.
 *
 * @param input name of x, `[batch, positions, hidden]`
 * @returns name of the result, of the same shape
 */
export function feedForward(graph: GraphWriter, config: FeedForwardSizes, located: LocatedFile, input: string): string {
  const { prefix } = located
  let gate: string
  let up: string
  if (findTensor(located, 'gate_up') === undefined) {
    gate = project(graph, located, 'gate', input)
    up = project(graph, located, 'up', input)
  } else {
    gate = `${prefix}gate_out`
    up = `${prefix}up_out`
    const size = BigInt(config.intermediateSize)
    const sizes = graph.constant(`${prefix}gate_up_sizes`, BigInt64Array.of(size, size), [2])
    graph.nodeWithOutputs('Split', [gate, up], [project(graph, located, 'gate_up', input), sizes], { axis: 2 })
  }
  const activated =
    config.traits?.activation === 'gelu_tanh'
      ? graph.node('FastGelu', `${prefix}gelu_out`, [gate])
      : // x · sigmoid(alpha · x) with alpha 1 is SiLU, in one operator
        graph.node('QuickGelu', `${prefix}silu_out`, [gate], { alpha: { float: 1 } })
  return project(graph, located, 'down', graph.node('Mul', `${prefix}gated`, [activated, up]))
}
