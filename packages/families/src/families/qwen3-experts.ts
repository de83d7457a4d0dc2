import type { ModelConfig } from '@resultity/interface'
import { z } from 'zod'
import { qwenExpertNaming, stackedExpertNaming } from '../expert-naming.ts'
import type { Family } from '../family.ts'
import { describeGgufDecoder } from '../gguf-decoder.ts'
import { decoderFields, orElse, readFields } from '../hub-config.ts'
import { describeDecoder, refuseActivation, refuseBiases } from '../hub-decoder.ts'
import { slidingLayers } from '../sliding-layers.ts'
import { ggufNaming } from '../tensor-naming.ts'
import { layerTraits } from '../traits.ts'

/** Defaults are `Qwen3MoeConfig`'s. */
const fields = decoderFields.extend({
  max_position_embeddings: orElse(z.number(), 32_768),
  use_sliding_window: orElse(z.boolean(), false),
  /** Of every layer, where it is used. */
  sliding_window: orElse(z.number(), 4096),
  moe_intermediate_size: orElse(z.number(), 768),
  num_experts: orElse(z.number(), 128),
  num_experts_per_tok: orElse(z.number(), 8),
  norm_topk_prob: orElse(z.boolean(), false),
  /** Every so many layers have experts. */
  decoder_sparse_step: orElse(z.int().positive(), 1),
  /** Layers without experts. */
  mlp_only_layers: orElse(z.array(z.number()), [])
})
type Fields = z.infer<typeof fields>

/** Qwen 3 with experts: Qwen 3's norms of heads, and in most layers experts in place of the feed-forward. */
export const qwen3Experts: Family = {
  name: 'qwen3-experts',
  title: 'Qwen 3 with experts',
  hub: {
    classes: { qwen3_moe: 'Qwen3MoeForCausalLM' },
    describe: config => describe(readFields(config, fields)),
    tensors: qwenExpertNaming,
    otherTensors: [stackedExpertNaming]
  },
  gguf: {
    architectures: ['qwen3moe'],
    // llama.cpp has experts in every layer, and lets their shares make 1
    describe: keys =>
      describeGgufDecoder(keys, {
        headNorms: true,
        experts: {
          count: keys.required('expert_count'),
          used: keys.required('expert_used_count'),
          size: keys.required('expert_feed_forward_length'),
          normalized: true
        }
      }),
    tensors: ggufNaming
  }
}

function describe(read: Fields): ModelConfig {
  refuseActivation(read.hidden_act, 'silu')
  refuseBiases(read)
  const { num_hidden_layers: layerCount, num_experts: count, num_experts_per_tok: used } = read
  const size = read.moe_intermediate_size
  const windows = slidingLayers({
    layerCount,
    window: read.use_sliding_window ? read.sliding_window : null,
    slides: () => true
  })
  const layers = layerTraits(layerCount, layer => ({
    ...windows?.[layer],
    ...(hasExperts(read, layer) ? {} : { feedForward: 'dense' })
  }))
  const experts = { count, used, size, ...(read.norm_topk_prob ? { normalized: true as const } : {}) }
  return describeDecoder(read, { headNorms: true, experts, layers })
}

function hasExperts({ mlp_only_layers: dense, decoder_sparse_step: step }: Fields, layer: number): boolean {
  return !dense.includes(layer) && (layer + 1) % step === 0
}
