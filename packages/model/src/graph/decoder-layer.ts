import type { DecoderManifest, ModelConfig } from '@resultity/interface'
import {
  findTensor,
  floatInitializer,
  type GraphWriter,
  type LocatedFile,
  project,
  requirePlain
} from '@resultity/onnx-graph'
import { attention } from './attention.ts'
import { normalize } from './norm.ts'

/**
 * The residual stream between two blocks, as a sum not yet taken: the norm that follows adds `input` and `skip` and
 * normalizes in one operator.
 */
export interface Residual {
  readonly input: string
  readonly skip: string
}

/** One decoder layer: attention and feed-forward, each behind a norm. Takes and returns an untaken residual sum. */
export function decoderLayer(
  graph: GraphWriter,
  manifest: DecoderManifest,
  layer: number,
  located: LocatedFile,
  residual: Residual
): Residual {
  const { config } = manifest
  const attentionInput = skipNorm(graph, config, located, 'input_norm', residual)
  const attended = attention(graph, config, layer, located, attentionInput.normalized)
  const feedForwardInput = skipNorm(graph, config, located, 'post_norm', {
    input: attentionInput.sum,
    skip: outputNorm(graph, config, located, 'attention_out_norm', project(graph, located, 'output', attended))
  })
  const fed = feedForward(graph, config, located, feedForwardInput.normalized)
  return { input: feedForwardInput.sum, skip: outputNorm(graph, config, located, 'feed_forward_out_norm', fed) }
}

/** The norm behind a block, in models that have those; else what the block gave. */
function outputNorm(
  graph: GraphWriter,
  config: ModelConfig,
  located: LocatedFile,
  tensorName: string,
  output: string
): string {
  return config.traits?.outputNorms === true ? normalize(graph, config, located, tensorName, output) : output
}

/** RMSNorm (Zhang & Sennrich, arXiv:1910.07467) of `input + skip`, and that sum. */
export function skipNorm(
  graph: GraphWriter,
  config: ModelConfig,
  located: LocatedFile,
  tensorName: string,
  residual: Residual
): { readonly normalized: string; readonly sum: string } {
  const normalized = `${located.prefix}${tensorName}_out`
  const sum = `${located.prefix}${tensorName}_sum`
  const weight = floatInitializer(graph, located, requirePlain(located, tensorName))
  graph.nodeWithOutputs(
    'SkipSimplifiedLayerNormalization',
    [normalized, '', '', sum],
    [residual.input, residual.skip, weight],
    { epsilon: { float: config.rmsNormEpsilon } }
  )
  return { normalized, sum }
}

/** A gated feed-forward (Shazeer, arXiv:2002.05202): `(activation(x · gate) ⊙ (x · up)) · down`. */
function feedForward(graph: GraphWriter, config: ModelConfig, located: LocatedFile, input: string): string {
  const { prefix } = located
  let gate: string
  let up: string
  if (findTensor(located, 'gate_up') === undefined) {
    gate = project(graph, located, 'gate', input)
    up = project(graph, located, 'up', input)
  } else {
    gate = `${prefix}gate_out`
    up = `${prefix}up_out`
    const { intermediateSize } = config
    const sizes = graph.constant(
      'gate_up_sizes',
      BigInt64Array.of(BigInt(intermediateSize), BigInt(intermediateSize)),
      [2]
    )
    graph.nodeWithOutputs('Split', [gate, up], [project(graph, located, 'gate_up', input), sizes], { axis: 2 })
  }
  const activated =
    config.traits?.activation === 'gelu_tanh'
      ? graph.node('FastGelu', `${prefix}gelu_out`, [gate])
      : // x · sigmoid(alpha · x) with alpha 1 is SiLU, in one operator
        graph.node('QuickGelu', `${prefix}silu_out`, [gate], { alpha: { float: 1 } })
  return project(graph, located, 'down', graph.node('Mul', `${prefix}gated`, [activated, up]))
}
