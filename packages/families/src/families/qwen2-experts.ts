import { z } from 'zod'
import { qwenExpertNaming, stackedExpertNaming } from '../expert-naming.ts'
import type { Family } from '../family.ts'
import { describeGgufDecoder } from '../gguf-decoder.ts'
import { orElse, readFields } from '../hub-config.ts'
import { describeQwenExperts, qwenExpertFields, qwenExpertsOfGguf } from '../qwen-experts.ts'
import { ggufNaming } from '../tensor-naming.ts'
import { Unsupported } from '../unsupported.ts'

/** Defaults are `Qwen2MoeConfig`'s. */
const fields = qwenExpertFields.extend({
  moe_intermediate_size: orElse(z.number(), 1408),
  shared_expert_intermediate_size: orElse(z.number(), 5632),
  num_experts: orElse(z.number(), 60),
  num_experts_per_tok: orElse(z.number(), 4),
  qkv_bias: orElse(z.boolean(), true)
})

/** Qwen 1.5 and 2 with experts: Qwen 2's biases, and experts of which all positions share one. */
export const qwen2Experts: Family = {
  name: 'qwen2-experts',
  title: 'Qwen 1.5 and 2 with experts',
  hub: {
    classes: { qwen2_moe: 'Qwen2MoeForCausalLM' },
    describe(config) {
      const read = readFields(config, fields)
      // versions of transformers differ in which layers have it
      if (read.use_sliding_window) throw new Unsupported('a window in a Qwen 2 with experts')
      const { num_experts: count, num_experts_per_tok: used, moe_intermediate_size: size } = read
      const experts = { count, used, size, sharedSize: read.shared_expert_intermediate_size }
      return describeQwenExperts(read, { experts, traits: read.qkv_bias ? { attentionBias: true } : {} })
    },
    tensors: qwenExpertNaming,
    otherTensors: [stackedExpertNaming]
  },
  gguf: {
    architectures: ['qwen2moe'],
    // llama.cpp has experts in every layer, and leaves their shares as they are
    describe(keys) {
      const sharedSize = keys.optional('expert_shared_feed_forward_length') ?? keys.required('feed_forward_length')
      return describeGgufDecoder(keys, { attentionBias: true, experts: { ...qwenExpertsOfGguf(keys), sharedSize } })
    },
    tensors: ggufNaming
  }
}
