import type { ModelConfig } from '@resultity/interface'
import { modelInvalid } from '@resultity/interface'
import type { GgufHeader, GgufMetadata } from '../formats/gguf.ts'
import { ropeFrequencyDivisors } from '../graph/rope-frequencies.ts'
import { checkModelConfig, unsupportedArchitecture } from './config.ts'

/** Largest relative difference between stored (f32) and computed frequency divisors. */
const DIVISOR_TOLERANCE = 1e-3

/**
 * Reads the configuration of a Llama from GGUF metadata.
 *
 * @param frequencyDivisors values of `rope_freqs.weight`, where the file has it
 * @throws MeshError `model_invalid` for a missing or wrong key and for any other architecture
 */
export function modelConfigFromGguf(
  file: string,
  header: Pick<GgufHeader, 'metadata' | 'tensors'>,
  frequencyDivisors?: Float32Array
): ModelConfig {
  const { metadata } = header
  refuseOtherArchitectures(file, metadata)
  const headCount = requiredNumber(file, metadata, 'llama.attention.head_count')
  const hiddenSize = requiredNumber(file, metadata, 'llama.embedding_length')
  const headDim = optionalNumber(file, metadata, 'llama.attention.key_length') ?? hiddenSize / headCount
  for (const key of ['llama.attention.value_length', 'llama.rope.dimension_count']) {
    const size = optionalNumber(file, metadata, key)
    if (size !== undefined && size !== headDim)
      throw unsupportedArchitecture(file, `${key} of ${size} beside heads of ${headDim}`)
  }
  const vocabularySize = header.tensors.get('token_embd.weight')?.shape[1]
  const config = checkModelConfig(file, {
    layerCount: requiredNumber(file, metadata, 'llama.block_count'),
    hiddenSize,
    intermediateSize: requiredNumber(file, metadata, 'llama.feed_forward_length'),
    headCount,
    kvHeadCount: optionalNumber(file, metadata, 'llama.attention.head_count_kv') ?? headCount,
    headDim,
    vocabularySize: vocabularySize ?? requiredNumber(file, metadata, 'llama.vocab_size'),
    contextLength: requiredNumber(file, metadata, 'llama.context_length'),
    rmsNormEpsilon: requiredNumber(file, metadata, 'llama.attention.layer_norm_rms_epsilon'),
    ropeTheta: optionalNumber(file, metadata, 'llama.rope.freq_base') ?? 10_000,
    ropeScaling: ropeScaling(file, metadata),
    tiedEmbedding: !header.tensors.has('output.weight')
  })
  return frequencyDivisors === undefined ? config : withStoredDivisors(file, config, frequencyDivisors)
}

function refuseOtherArchitectures(file: string, metadata: GgufMetadata): void {
  const architecture = metadata.get('general.architecture')
  if (architecture !== 'llama') throw unsupportedArchitecture(file, `the architecture "${String(architecture)}"`)
  const experts = optionalNumber(file, metadata, 'llama.expert_count')
  if (experts !== undefined && experts > 0) throw unsupportedArchitecture(file, `a mixture of ${experts} experts`)
}

/** Some keys hold a number for each layer, where a model's layers may differ. */
function optionalNumber(file: string, metadata: GgufMetadata, key: string): number | undefined {
  const value = metadata.get(key)
  if (value === undefined || typeof value === 'number') return value
  if (!Array.isArray(value)) throw modelInvalid(file, `metadata "${key}" is not a number`)
  const [first] = value
  if (typeof first !== 'number') throw modelInvalid(file, `metadata "${key}" lists no numbers`)
  if (value.some(each => each !== first)) throw unsupportedArchitecture(file, `another ${key} in each layer`)
  return first
}

function requiredNumber(file: string, metadata: GgufMetadata, key: string): number {
  const value = optionalNumber(file, metadata, key)
  if (value === undefined) throw modelInvalid(file, `metadata "${key}" is missing`)
  return value
}

function ropeScaling(file: string, metadata: GgufMetadata): unknown {
  // some converters write an empty text for none
  const type = metadata.get('llama.rope.scaling.type') || 'none'
  if (type === 'none') return { type }
  if (type === 'linear') return { type, factor: requiredNumber(file, metadata, 'llama.rope.scaling.factor') }
  throw unsupportedArchitecture(file, `the rotary embedding scaling "${String(type)}"`)
}

/**
 * GGUF stores Llama 3's scaling as its result, one divisor per frequency. The manifest holds the parameters:
 * those of every published Llama 3.1 to 3.3 are tried, with the largest divisor as the factor.
 */
function withStoredDivisors(file: string, config: ModelConfig, stored: Float32Array): ModelConfig {
  const factor = stored.reduce((largest, value) => Math.max(largest, value), 0)
  const scaled: ModelConfig = {
    ...config,
    ropeScaling: { type: 'llama3', factor, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 8192 }
  }
  const computed = factor > 0 ? ropeFrequencyDivisors(scaled) : new Float64Array(0)
  const same =
    computed.length === stored.length &&
    computed.every((value, index) => Math.abs(value - (stored[index] ?? 0)) <= DIVISOR_TOLERANCE * value)
  if (!same)
    throw unsupportedArchitecture(file, 'a rotary embedding scaling ("rope_freqs.weight") other than Llama 3\'s')
  return scaled
}
