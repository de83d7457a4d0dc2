import { z } from 'zod'
import type { Family } from '../family.ts'
import { decoderFields, readFields } from '../hub-config.ts'
import { describeDecoder, refuseActivation, refuseBiases } from '../hub-decoder.ts'
import { hubNaming } from '../tensor-naming.ts'

/** Of a configuration that does not say, as in `MistralConfig`. */
const WINDOW = 4096

const mistralFields = decoderFields.extend({
  /** How far back a position looks. Null: to the beginning. */
  sliding_window: z.number().nullish()
})

/** Mistral 7B and what is made of it: OpenChat, Zephyr. llama.cpp files it under Llama. */
export const mistral: Family = {
  name: 'mistral',
  title: 'Mistral',
  hub: {
    classes: { mistral: 'MistralForCausalLM' },
    describe(config) {
      const fields = readFields(config, mistralFields)
      refuseActivation(fields.hidden_act, 'silu')
      refuseBiases(fields)
      const described = describeDecoder(fields)
      const window = fields.sliding_window === null ? Number.POSITIVE_INFINITY : (fields.sliding_window ?? WINDOW)
      // within its window, Mistral's sliding attention is that of all positions
      return { ...described, contextLength: Math.min(described.contextLength, window) }
    },
    tensors: hubNaming
  }
}
