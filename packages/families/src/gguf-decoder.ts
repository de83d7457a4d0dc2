import type { DecoderTraits, ModelConfig, RopeScaling } from '@resultity/interface'
import type { GgufKeys } from './gguf-keys.ts'
import { ropeScalingOfGguf } from './gguf-rope.ts'
import { refuseExperts } from './refusals.ts'
import { withTraits } from './traits.ts'
import { Unsupported } from './unsupported.ts'

/**
 * What keys that all decoders have say; a family adds the traits that its models have, and the scaling of its rotary
 * embedding where it stores that in a way of its own.
 */
export function describeGgufDecoder(
  keys: GgufKeys,
  traits: DecoderTraits = {},
  ropeScaling?: RopeScaling
): ModelConfig {
  if (traits.experts === undefined) refuseExperts(keys.optional('expert_count') ?? 0)
  const headCount = keys.required('attention.head_count')
  const hiddenSize = keys.required('embedding_length')
  const headDim = keys.optional('attention.key_length') ?? hiddenSize / headCount
  refuseOtherSizes(keys, headDim, traits.rotaryDim ?? headDim)
  const { tensors } = keys.head
  const ropeTheta = keys.optional('rope.freq_base') ?? ROPE_THETA
  const config: ModelConfig = {
    layerCount: keys.required('block_count'),
    hiddenSize,
    intermediateSize: keys.required('feed_forward_length'),
    headCount,
    kvHeadCount: keys.optional('attention.head_count_kv') ?? headCount,
    headDim,
    vocabularySize: tensors.get('token_embd.weight')?.shape[1] ?? keys.required('vocab_size'),
    contextLength: keys.required('context_length'),
    rmsNormEpsilon: keys.required('attention.layer_norm_rms_epsilon'),
    ropeTheta,
    ropeScaling: ropeScaling ?? ropeScalingOfGguf(keys, { theta: ropeTheta, rotaryDim: traits.rotaryDim ?? headDim }),
    tiedEmbedding: !tensors.has('output.weight')
  }
  return withTraits(config, traits)
}

/** Base of the rotary frequencies of a file that names none. */
const ROPE_THETA = 10_000

function refuseOtherSizes(keys: GgufKeys, headDim: number, rotaryDim: number): void {
  for (const [key, wanted] of [
    ['attention.value_length', headDim],
    ['rope.dimension_count', rotaryDim]
  ] as const) {
    const size = keys.optional(key)
    if (size !== undefined && size !== wanted) {
      throw new Unsupported(`${keys.named(key)} of ${size} beside heads of ${headDim}`)
    }
  }
}
