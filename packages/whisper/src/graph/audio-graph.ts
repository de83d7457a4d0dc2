import type { WhisperConfig } from '@resultity/interface'
import {
  attendToAll,
  ElementType,
  feedForward,
  floatInitializer,
  GraphWriter,
  type LocatedFile,
  layerNorm,
  projectWithBias,
  requirePlain
} from '@resultity/onnx-graph'
import { type CrossEdges, crossEdges, EPSILON, locatedFiles, type WhisperGraphInit } from './edges.ts'

/** What hears a window, as an ONNX model. */
export interface AudioGraph {
  /** The serialized model. Weights are external data. */
  readonly bytes: Uint8Array
  /** f32 `[1, melBins, 2 · audioContext]`. */
  readonly mel: string
  /** Outputs: the keys and values of every decoder layer's cross attention. */
  readonly cross: readonly CrossEdges[]
}

/**
 * Builds the encoder of a Whisper (Radford et al., arXiv:2212.04356), and behind it the projections to keys and values of all
 * decoder layers: they are computed once a window, and not at every token.
 *
 * @throws MeshError `model_invalid` for a missing tensor
 */
export function buildAudioGraph(init: WhisperGraphInit): AudioGraph {
  const { config, name } = init.manifest
  const { ends, encoderLayers, decoderLayers } = locatedFiles(init)
  const graph = new GraphWriter()
  const mel = graph.input('mel', ElementType.float32, [1, config.melBins, 2 * config.audioContext])
  let hidden = frames(graph, config, ends, mel)
  const shape = { graph, headCount: config.encoderHeadCount, hiddenSize: config.hiddenSize, epsilon: EPSILON }
  for (const located of encoderLayers) {
    const layer = { ...shape, located }
    hidden = feedForward(layer, attendToAll(layer, hidden))
  }
  const heard = layerNorm({ ...shape, located: ends }, 'audio_norm', hidden)
  const cross = decoderLayers.map((located, index) => keysAndValues(graph, config, located, heard, crossEdges(index)))
  return { bytes: graph.finish(`${name} audio`), mel, cross }
}

/** Two convolutions over time, of which the second halves its resolution, and a position for each frame that is left. */
function frames(graph: GraphWriter, config: WhisperConfig, ends: LocatedFile, mel: string): string {
  const narrow = convolved(graph, ends, mel, { name: 'conv1', inputs: config.melBins, stride: 1 })
  const halved = convolved(graph, ends, narrow, { name: 'conv2', inputs: config.hiddenSize, stride: 2 })
  const hidden = graph.node('Transpose', 'frames', [halved], { perm: [0, 2, 1] })
  const positions = floatInitializer(graph, ends, requirePlain(ends, 'audio_positions'))
  return graph.node('Add', 'frames_placed', [hidden, positions])
}

const TAPS = 3

function convolved(
  graph: GraphWriter,
  ends: LocatedFile,
  input: string,
  { name, inputs, stride }: { readonly name: string; readonly inputs: number; readonly stride: number }
): string {
  const tensor = requirePlain(ends, name)
  const weights = graph.external({
    name: `${ends.prefix}${name}`,
    elementType: ElementType.float32,
    dims: [tensor.shape[0] ?? 0, inputs, TAPS],
    location: ends.location,
    offset: tensor.data.offset,
    bytes: tensor.data.bytes
  })
  const bias = floatInitializer(graph, ends, requirePlain(ends, `${name}_bias`))
  const sum = graph.node('Conv', `${name}_out`, [input, weights, bias], {
    kernel_shape: [TAPS],
    pads: [1, 1],
    strides: [stride]
  })
  return graph.node('Gelu', `${name}_bent`, [sum])
}

function keysAndValues(
  graph: GraphWriter,
  { hiddenSize, decoderHeadCount, audioContext }: WhisperConfig,
  located: LocatedFile,
  heard: string,
  edges: CrossEdges
): CrossEdges {
  const edge = (name: string): string => `${located.prefix}${name}`
  const headDim = hiddenSize / decoderHeadCount
  const integers = (name: string, ...values: number[]): string =>
    graph.constant(name, BigInt64Array.from(values, BigInt), [values.length])
  const both = projectWithBias(graph, located, 'cross_kv', heard)
  const halves = [edge('cross_k'), edge('cross_v')]
  graph.nodeWithOutputs('Split', halves, [both, integers('kv_sizes', hiddenSize, hiddenSize)], { axis: 2 })
  const shape = integers('cross_apart', 0, 0, decoderHeadCount, headDim)
  const [keys, values] = halves.map(half => graph.node('Reshape', `${half}_apart`, [half, shape]))
  graph.node('Transpose', edges.keys, [keys ?? ''], { perm: [0, 2, 3, 1] })
  graph.node('Transpose', edges.values, [values ?? ''], { perm: [0, 2, 1, 3] })
  graph.output(edges.keys, ElementType.float32, [1, decoderHeadCount, headDim, audioContext])
  graph.output(edges.values, ElementType.float32, [1, decoderHeadCount, audioContext, headDim])
  return edges
}
