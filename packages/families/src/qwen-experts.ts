import type { DecoderTraits, Experts, LayerTraits, ModelConfig } from '@resultity/interface'
import { z } from 'zod'
import type { GgufKeys } from './gguf-keys.ts'
import { decoderFields, orElse } from './hub-config.ts'
import { describeDecoder, refuseActivation, refuseBiases } from './hub-decoder.ts'
import { layerTraits } from './traits.ts'

/** What configurations of Qwens with experts have besides; a family adds the defaults of its own. */
export const qwenExpertFields = decoderFields.extend({
  max_position_embeddings: orElse(z.number(), 32_768),
  use_sliding_window: orElse(z.boolean(), false),
  /** Of every layer, where it is used. */
  sliding_window: orElse(z.number(), 4096),
  norm_topk_prob: orElse(z.boolean(), false),
  /** Every so many layers have experts. */
  decoder_sparse_step: orElse(z.int().positive(), 1),
  /** Layers without experts. */
  mlp_only_layers: orElse(z.array(z.number()), [])
})
type Fields = z.infer<typeof qwenExpertFields>

export interface QwenExpertsInit {
  readonly experts: Omit<Experts, 'normalized'>
  readonly traits: DecoderTraits
  /** What each layer has besides. */
  readonly windows?: readonly LayerTraits[] | undefined
}

/**
 * A decoder of Qwen's of which most layers have experts.
 * @throws Unsupported for what no Qwen has
 */
export function describeQwenExperts(read: Fields, { experts, traits, windows }: QwenExpertsInit): ModelConfig {
  refuseActivation(read.hidden_act, 'silu')
  refuseBiases(read)
  const layers = layerTraits(read.num_hidden_layers, layer => ({
    ...windows?.[layer],
    ...(hasExperts(read, layer) ? {} : { feedForward: 'dense' })
  }))
  const shares = read.norm_topk_prob ? { normalized: true as const } : {}
  return describeDecoder(read, { ...traits, experts: { ...experts, ...shares }, layers })
}

function hasExperts({ mlp_only_layers: dense, decoder_sparse_step: step }: Fields, layer: number): boolean {
  return !dense.includes(layer) && (layer + 1) % step === 0
}

/** The experts that keys name; one of an old file that names no sizes has the size that llama.cpp takes. */
export function qwenExpertsOfGguf(keys: GgufKeys): Omit<Experts, 'normalized' | 'sharedSize'> {
  const used = keys.required('expert_used_count')
  const size = keys.optional('expert_feed_forward_length') ?? keys.required('feed_forward_length') / used
  return { count: keys.required('expert_count'), used, size }
}
