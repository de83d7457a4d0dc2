import { z } from 'zod'
import { mixtralNaming, stackedExpertNaming } from '../expert-naming.ts'
import type { Family } from '../family.ts'
import { decoderFields, orElse, readFields } from '../hub-config.ts'
import { describeDecoder, refuseActivation, refuseBiases } from '../hub-decoder.ts'
import { slidingLayers } from '../sliding-layers.ts'

/** Base of the rotary frequencies of a configuration that names none. */
const ROPE_THETA = 1e6

/** Defaults are `MixtralConfig`'s. */
const fields = decoderFields.extend({
  /** Null: as many as heads of queries. */
  num_key_value_heads: z.number().nullable().default(8),
  max_position_embeddings: orElse(z.number(), 131_072),
  rms_norm_eps: orElse(z.number(), 1e-5),
  sliding_window: z.number().nullish(),
  num_local_experts: orElse(z.number(), 8),
  num_experts_per_tok: orElse(z.number(), 2)
})

/** Mixtral: Mistral with experts, whose shares make 1. llama.cpp files it under Llama, without a window. */
export const mixtral: Family = {
  name: 'mixtral',
  title: 'Mixtral',
  hub: {
    classes: { mixtral: 'MixtralForCausalLM' },
    describe(config) {
      const read = readFields(config, fields)
      refuseActivation(read.hidden_act, 'silu')
      refuseBiases(read)
      const { num_local_experts: count, num_experts_per_tok: used, intermediate_size: size } = read
      const layers = slidingLayers({
        layerCount: read.num_hidden_layers,
        window: read.sliding_window,
        slides: () => true
      })
      const theta = read.rope_theta ?? read.rope_parameters?.rope_theta ?? ROPE_THETA
      return describeDecoder(
        { ...read, rope_theta: theta },
        { experts: { count, used, size, normalized: true }, layers }
      )
    },
    tensors: mixtralNaming,
    otherTensors: [stackedExpertNaming]
  }
}
