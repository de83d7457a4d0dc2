import {
  isBark,
  isCaptioner,
  isDiffusion,
  isServedWhole,
  isSpeech,
  isVoice,
  type ModelManifest,
  type TensorEntry,
  weightFiles
} from '@resultity/interface'
import { canReason } from '@resultity/openai'
import type { ServedModel } from '@resultity/placement'
import type { ListedModel, ModelDetails, ShownModel } from './model-schema.ts'

/** A model as lists have it. */
export function toListed(model: ServedModel): ListedModel {
  return {
    name: model.id,
    model: model.id,
    modified_at: dateOf(model),
    size: weightFiles(model.placeable.manifest).reduce((sum, { bytes }) => sum + bytes, 0),
    digest: model.placeable.manifestSha256,
    details: detailsOf(model.placeable.manifest)
  }
}

/** All that is told of a model. */
export function toShown(model: ServedModel): ShownModel {
  const { manifest } = model.placeable
  return {
    modelfile: '',
    parameters: '',
    template: model.kind === 'decoder' ? model.tokenizer.config.template : '',
    details: detailsOf(manifest),
    model_info: infoOf(model),
    capabilities: capabilitiesOf(model),
    modified_at: dateOf(model)
  }
}

function capabilitiesOf(model: ServedModel): string[] {
  switch (model.kind) {
    case 'decoder':
      return ['completion', 'tools', ...(canReason(model) ? ['thinking'] : [])]
    case 'encoder':
      return ['embedding']
    case 'classifier':
    case 'speech':
    case 'voice':
    case 'captioner':
    case 'diffusion':
      return []
  }
}

function dateOf({ createdAt }: ServedModel): string {
  return new Date(1000 * createdAt).toISOString()
}

function detailsOf(manifest: ModelManifest): ModelDetails {
  const weights = weightsOf(manifest)
  const family = manifest.architecture
  return {
    parent_model: '',
    format: 'onnx',
    family,
    families: [family],
    parameter_size: shortCount(weights.count),
    quantization_level: weights.encoding.toUpperCase()
  }
}

/** By the names that GGUF files have for them: programs look sizes up by these. */
function infoOf({ placeable: { manifest, contextLength } }: ServedModel): Readonly<Record<string, string | number>> {
  const general = {
    'general.architecture': manifest.architecture,
    'general.basename': manifest.name,
    'general.parameter_count': weightsOf(manifest).count
  }
  // of a file that is not looked into, or of several models in one
  if (isVoice(manifest) || isBark(manifest) || isDiffusion(manifest) || isCaptioner(manifest)) return general
  const { architecture: family, config, layers } = manifest
  // of a model for speech, its decoder's
  const { feedForward, heads } = isSpeech(manifest)
    ? { feedForward: manifest.config.decoderFeedForwardSize, heads: manifest.config.decoderHeadCount }
    : { feedForward: manifest.config.intermediateSize, heads: manifest.config.headCount }
  return {
    ...general,
    [`${family}.context_length`]: contextLength,
    [`${family}.block_count`]: layers.length,
    [`${family}.embedding_length`]: config.hiddenSize,
    [`${family}.feed_forward_length`]: feedForward,
    [`${family}.attention.head_count`]: heads,
    ...(isServedWhole(manifest) ? {} : { [`${family}.attention.head_count_kv`]: manifest.config.kvHeadCount }),
    [`${family}.vocab_size`]: config.vocabularySize
  }
}

/** How many numbers a model's weights are, and how most of them are stored. */
function weightsOf(manifest: ModelManifest): { readonly count: number; readonly encoding: string } {
  const counts = new Map<string, number>()
  for (const { tensors } of weightFiles(manifest)) {
    for (const tensor of tensors) counts.set(tensor.encoding, (counts.get(tensor.encoding) ?? 0) + numbersOf(tensor))
  }
  const [[encoding] = ['f32']] = [...counts].toSorted(([, a], [, b]) => b - a)
  return { count: [...counts.values()].reduce((sum, count) => sum + count, 0), encoding }
}

function numbersOf(tensor: TensorEntry): number {
  return 'shape' in tensor ? tensor.shape.reduce((product, size) => product * size, 1) : tensor.rows * tensor.columns
}

/** As people say it: 134.5M, 1.1B. */
function shortCount(count: number): string {
  const [size, unit] = count >= 1e9 ? [1e9, 'B'] : count >= 1e6 ? [1e6, 'M'] : [1e3, 'K']
  return `${Number((count / size).toFixed(1))}${unit}`
}
