import { z } from 'zod'
import type { Family } from '../family.ts'
import { decoderFields, orElse, readFields } from '../hub-config.ts'
import { describeDecoder, refuseActivation, refuseBiases } from '../hub-decoder.ts'
import { slidingLayers } from '../sliding-layers.ts'
import { hubNaming } from '../tensor-naming.ts'

/** Of a configuration that does not say, as in `MistralConfig`. */
const WINDOW = 4096

const fields = decoderFields.extend({
  /** Null: as many as heads of queries. */
  num_key_value_heads: z.number().nullable().default(8),
  max_position_embeddings: orElse(z.number(), 131_072),
  /** How many positions a position attends to. Null: all. */
  sliding_window: z.number().nullish()
})

/** Mistral 7B and what is made of it: OpenChat, Zephyr. llama.cpp files it under Llama, without its window. */
export const mistral: Family = {
  name: 'mistral',
  title: 'Mistral',
  hub: {
    classes: { mistral: 'MistralForCausalLM' },
    describe(config) {
      const read = readFields(config, fields)
      refuseActivation(read.hidden_act, 'silu')
      refuseBiases(read)
      const window = read.sliding_window === undefined ? WINDOW : read.sliding_window
      const layers = slidingLayers({ layerCount: read.num_hidden_layers, window, slides: () => true })
      return describeDecoder(read, { layers })
    },
    tensors: hubNaming
  }
}
