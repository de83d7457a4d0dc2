import { z } from 'zod'
import { qwenExpertNaming, stackedExpertNaming } from '../expert-naming.ts'
import type { Family } from '../family.ts'
import { describeGgufDecoder } from '../gguf-decoder.ts'
import { orElse, readFields } from '../hub-config.ts'
import { describeQwenExperts, qwenExpertFields, qwenExpertsOfGguf } from '../qwen-experts.ts'
import { slidingLayers } from '../sliding-layers.ts'
import { ggufNaming } from '../tensor-naming.ts'

/** Defaults are `Qwen3MoeConfig`'s. */
const fields = qwenExpertFields.extend({
  moe_intermediate_size: orElse(z.number(), 768),
  num_experts: orElse(z.number(), 128),
  num_experts_per_tok: orElse(z.number(), 8)
})

/** Qwen 3 with experts: Qwen 3's norms of heads, and in most layers experts in place of the feed-forward. */
export const qwen3Experts: Family = {
  name: 'qwen3-experts',
  title: 'Qwen 3 with experts',
  hub: {
    classes: { qwen3_moe: 'Qwen3MoeForCausalLM' },
    describe(config) {
      const read = readFields(config, fields)
      const { num_experts: count, num_experts_per_tok: used, moe_intermediate_size: size } = read
      const windows = slidingLayers({
        layerCount: read.num_hidden_layers,
        window: read.use_sliding_window ? read.sliding_window : null,
        slides: () => true
      })
      return describeQwenExperts(read, { experts: { count, used, size }, traits: { headNorms: true }, windows })
    },
    tensors: qwenExpertNaming,
    otherTensors: [stackedExpertNaming]
  },
  gguf: {
    architectures: ['qwen3moe'],
    // llama.cpp has experts in every layer, and lets their shares make 1
    describe: keys =>
      describeGgufDecoder(keys, { headNorms: true, experts: { ...qwenExpertsOfGguf(keys), normalized: true } }),
    tensors: ggufNaming
  }
}
