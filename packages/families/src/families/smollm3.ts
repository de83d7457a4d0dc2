import type { LayerTraits } from '@resultity/interface'
import { z } from 'zod'
import type { Family } from '../family.ts'
import { describeGgufDecoder } from '../gguf-decoder.ts'
import { decoderFields, orElse, readFields } from '../hub-config.ts'
import { describeDecoder, refuseActivation, refuseBiases } from '../hub-decoder.ts'
import { ggufNaming, hubNaming } from '../tensor-naming.ts'
import { layerTraits } from '../traits.ts'
import { Unsupported } from '../unsupported.ts'

/** One layer in four, the last of each four, does not rotate: in published models, and in all GGUF files. */
const INTERVAL = 4

/** Defaults are `SmolLM3Config`'s. */
const fields = decoderFields.extend({
  max_position_embeddings: orElse(z.number(), 32_768),
  rope_theta: orElse(z.number(), 2_000_000),
  tie_word_embeddings: orElse(z.boolean(), true),
  /** For each layer 1 where it rotates queries and keys, 0 where it does not. */
  no_rope_layers: z.array(z.number()).nullish(),
  no_rope_layer_interval: orElse(z.number(), INTERVAL),
  use_sliding_window: orElse(z.boolean(), false)
})

/** SmolLM3: Llama, but some layers have no rotary embedding. */
export const smollm3: Family = {
  name: 'smollm3',
  title: 'SmolLM3',
  hub: {
    classes: { smollm3: 'SmolLM3ForCausalLM' },
    describe(config) {
      const read = readFields(config, fields)
      refuseActivation(read.hidden_act, 'silu')
      refuseBiases(read)
      if (read.use_sliding_window) throw new Unsupported('a SmolLM3 with sliding windows')
      const { no_rope_layers: listed, no_rope_layer_interval: interval } = read
      const rotates = (layer: number): boolean => (listed == null ? (layer + 1) % interval !== 0 : listed[layer] !== 0)
      return describeDecoder(read, { layers: ropeless(read.num_hidden_layers, rotates) })
    },
    tensors: hubNaming
  },
  gguf: {
    architectures: ['smollm3'],
    describe: keys =>
      describeGgufDecoder(keys, {
        layers: ropeless(keys.required('block_count'), layer => (layer + 1) % INTERVAL !== 0)
      }),
    tensors: ggufNaming,
    interleaved: true
  }
}

function ropeless(layerCount: number, rotates: (layer: number) => boolean): LayerTraits[] | undefined {
  return layerTraits(layerCount, layer => (rotates(layer) ? {} : { rope: 'none' }))
}
