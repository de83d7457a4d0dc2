import { z } from 'zod'
import type { Family } from '../family.ts'
import { describeGgufDecoder } from '../gguf-decoder.ts'
import { decoderFields, orElse, readFields } from '../hub-config.ts'
import { describeDecoder, refuseActivation, refuseBiases } from '../hub-decoder.ts'
import { slidingLayers } from '../sliding-layers.ts'
import { ggufNaming, hubNaming } from '../tensor-naming.ts'

/** Defaults are `Qwen3Config`'s. */
const fields = decoderFields.extend({
  head_dim: orElse(z.number(), 128),
  max_position_embeddings: orElse(z.number(), 32_768),
  use_sliding_window: orElse(z.boolean(), false),
  sliding_window: z.number().nullish(),
  /** The first layers attend to all positions. */
  max_window_layers: orElse(z.number(), 28),
  layer_types: z.array(z.string()).nullish()
})

/** Qwen 3: each head's query and key is normalized before it is rotated. */
export const qwen3: Family = {
  name: 'qwen3',
  title: 'Qwen 3',
  hub: {
    classes: { qwen3: 'Qwen3ForCausalLM' },
    describe(config) {
      const read = readFields(config, fields)
      refuseActivation(read.hidden_act, 'silu')
      refuseBiases(read)
      const layers = slidingLayers({
        layerCount: read.num_hidden_layers,
        window: read.use_sliding_window ? (read.sliding_window ?? 4096) : null,
        types: read.layer_types,
        slides: layer => layer >= read.max_window_layers
      })
      return describeDecoder(read, { headNorms: true, layers })
    },
    tensors: hubNaming
  },
  gguf: {
    architectures: ['qwen3'],
    describe: keys => describeGgufDecoder(keys, { headNorms: true }),
    tensors: ggufNaming
  }
}
