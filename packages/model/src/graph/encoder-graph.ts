import { type EncoderManifest, MeshError, outputSize, type WeightFile } from '@resultity/interface'
import {
  ElementType,
  floatInitializer,
  GraphWriter,
  type LocatedFile,
  project,
  requirePlain
} from '@resultity/onnx-graph'

export interface EncoderGraphInit {
  readonly manifest: EncoderManifest
  /** Name of the weight file, relative to the directory the graph is loaded from. */
  weightLocation(file: WeightFile): string
}

/** A whole encoder as an ONNX model, and how to feed it. B inputs of a run, each filled up to L tokens. */
export interface EncoderGraph {
  /** The serialized model. Weights are external data. */
  readonly bytes: Uint8Array
  /** int32 `[B, L]` token ids. */
  readonly tokens: string
  /** int32 `[B, L]`: the type of each token. */
  readonly types: string
  /** int32 `[B]`: tokens of each input; those behind are not attended to. */
  readonly lengths: string
  /** f32 `[B, 1, L]`: the share of each token's hidden state in the vector. */
  readonly shares: string
  /** f32 `[B, 1, outputSize]`. */
  readonly output: string
}

/** As `torch.nn.functional.normalize`: a vector of zeros stays one. */
const LENGTH_MIN = 1e-12

/**
 * Builds the ONNX model of a BERT encoder (Devlin et al., arXiv:1810.04805) with the pooling of sentence-transformers
 * (Reimers & Gurevych, arXiv:1908.10084) behind it, or a classifier's head.
 *
 * @throws MeshError `model_invalid` for a missing tensor
 */
export function buildEncoderGraph({ manifest, weightLocation }: EncoderGraphInit): EncoderGraph {
  const { config } = manifest
  const graph = new GraphWriter()
  const locate = (file: WeightFile, prefix: string): LocatedFile => ({ file, location: weightLocation(file), prefix })
  const tokens = graph.input('tokens', ElementType.int32, ['inputs', 'positions'])
  const types = graph.input('types', ElementType.int32, ['inputs', 'positions'])
  const lengths = graph.input('lengths', ElementType.int32, ['inputs'])
  const shares = graph.input('shares', ElementType.float32, ['inputs', 1, 'positions'])
  let hidden = embed(graph, manifest, locate(manifest.embedding, 'embedding_'), tokens, types)
  for (const [layer, file] of manifest.layers.entries()) {
    hidden = encoderLayer(graph, manifest, locate(file, `layer_${layer}_`), hidden, lengths)
  }
  const pooled = graph.node('MatMul', 'pooled', [shares, hidden])
  const output = manifest.head === undefined ? pooled : classified(graph, locate(manifest.head, 'head_'), pooled)
  const scaled = config.normalize ? normalized(graph, output) : output
  graph.output(scaled, ElementType.float32, ['inputs', 1, outputSize(config)])
  return { bytes: graph.finish(manifest.name), tokens, types, lengths, shares, output: scaled }
}

/** The sum of a word, its position and its type, normalized. */
function embed(
  graph: GraphWriter,
  { config }: EncoderManifest,
  located: LocatedFile,
  tokens: string,
  types: string
): string {
  const tables = ['words', 'positions', 'token_types', 'norm', 'norm_bias'].map(name => weight(graph, located, name))
  graph.nodeWithOutputs('EmbedLayerNormalization', ['embedded', ''], [tokens, types, ...tables], {
    epsilon: { float: config.layerNormEpsilon }
  })
  return 'embedded'
}

/** Attention and feed-forward, each added to its input and then normalized. */
function encoderLayer(
  graph: GraphWriter,
  manifest: EncoderManifest,
  located: LocatedFile,
  input: string,
  lengths: string
): string {
  const { prefix } = located
  const { headCount } = manifest.config
  const attended = graph.node(
    'Attention',
    `${prefix}attended`,
    [input, weight(graph, located, 'qkv'), weight(graph, located, 'qkv_bias'), lengths],
    // a token behind the end weighs nothing, not next to nothing, however low the other scores are
    { num_heads: headCount, mask_filter_value: { float: MASKED } }
  )
  const attention = skipNorm(graph, manifest, located, input, {
    matrix: 'output',
    norm: 'attention_norm',
    of: attended
  })
  const activated = activate(graph, manifest, located, project(graph, located, 'up', attention))
  return skipNorm(graph, manifest, located, attention, { matrix: 'down', norm: 'output_norm', of: activated })
}

/** As transformers masks: the lowest f32. */
const MASKED = -3.4028234663852886e38

/** `norm(skip + of · matrix + bias)` in two operators. */
function skipNorm(
  graph: GraphWriter,
  { config }: EncoderManifest,
  located: LocatedFile,
  skip: string,
  names: { readonly matrix: string; readonly norm: string; readonly of: string }
): string {
  const projected = project(graph, located, names.matrix, names.of)
  const [gamma, beta, bias] = [names.norm, `${names.norm}_bias`, `${names.matrix}_bias`].map(name =>
    weight(graph, located, name)
  )
  return graph.node(
    'SkipLayerNormalization',
    `${located.prefix}${names.norm}_out`,
    [projected, skip, gamma ?? '', beta ?? '', bias ?? ''],
    { epsilon: { float: config.layerNormEpsilon } }
  )
}

/** GELU (Hendrycks & Gimpel, arXiv:1606.08415) of the sum with the bias. */
function activate(graph: GraphWriter, { config }: EncoderManifest, located: LocatedFile, input: string): string {
  const operator = config.activation === 'gelu' ? 'BiasGelu' : 'FastGelu'
  return graph.node(operator, `${located.prefix}activated`, [input, weight(graph, located, 'up_bias')])
}

/** A number for each label, of the first hidden state. */
function classified(graph: GraphWriter, located: LocatedFile, first: string): string {
  const biased = (name: string, input: string): string => {
    const bias = weight(graph, located, `${name}_bias`)
    return graph.node('Add', `${located.prefix}${name}_sum`, [project(graph, located, name, input), bias])
  }
  return biased('classifier', graph.node('Tanh', `${located.prefix}pooled`, [biased('pooler', first)]))
}

function normalized(graph: GraphWriter, pooled: string): string {
  const axes = graph.constant('vector_axis', BigInt64Array.of(-1n), [1])
  const length = graph.node('ReduceL2', 'length', [pooled, axes], { keepdims: 1 })
  const least = graph.constant('length_min', Float32Array.of(LENGTH_MIN), [1])
  return graph.node('Div', 'normalized', [pooled, graph.node('Max', 'length_or_least', [length, least])])
}

function weight(graph: GraphWriter, located: LocatedFile, name: string): string {
  const tensor = requirePlain(located, name)
  if (tensor.encoding !== 'f32') throw new MeshError('model_invalid', `tensor "${name}" of an encoder must be f32`)
  return floatInitializer(graph, located, tensor)
}
