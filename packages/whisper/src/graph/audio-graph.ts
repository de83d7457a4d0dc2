import type { WhisperConfig } from '@resultity/interface'
import {
  attendToAll,
  type CrossEdges,
  crossEdges,
  ElementType,
  feedForward,
  floatInitializer,
  GraphWriter,
  keysAndValues,
  type LocatedFile,
  layerNorm,
  requirePlain
} from '@resultity/onnx-graph'
import { EPSILON, locatedFiles, type WhisperGraphInit } from './edges.ts'

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
  const cross = decoderLayers.map((located, index) => crossOutputs(graph, config, located, heard, crossEdges(index)))
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

/** Outputs of the graph. */
function crossOutputs(
  graph: GraphWriter,
  { hiddenSize, decoderHeadCount: headCount, audioContext }: WhisperConfig,
  located: LocatedFile,
  heard: string,
  edges: CrossEdges
): CrossEdges {
  const headDim = hiddenSize / headCount
  keysAndValues({ graph, located, headCount, hiddenSize, epsilon: EPSILON }, heard, edges)
  graph.output(edges.keys, ElementType.float32, [1, headCount, headDim, audioContext])
  graph.output(edges.values, ElementType.float32, [1, headCount, audioContext, headDim])
  return edges
}
