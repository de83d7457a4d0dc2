import { z } from 'zod'
import type { Family } from '../family.ts'
import { describeGgufDecoder } from '../gguf-decoder.ts'
import { decoderFields, orElse, readFields } from '../hub-config.ts'
import { describeDecoder, refuseActivation, refuseBiases } from '../hub-decoder.ts'
import { slidingLayers } from '../sliding-layers.ts'
import { ggufNaming, hubNaming } from '../tensor-naming.ts'

/** Defaults are `Qwen2Config`'s. */
const fields = decoderFields.extend({
  max_position_embeddings: orElse(z.number(), 32_768),
  use_sliding_window: orElse(z.boolean(), false),
  sliding_window: z.number().nullish(),
  /** The first layers attend to all positions. */
  max_window_layers: orElse(z.number(), 28),
  layer_types: z.array(z.string()).nullish()
})

/** Qwen 2 and 2.5: Llama with biases of queries, keys and values. */
export const qwen2: Family = {
  name: 'qwen2',
  title: 'Qwen 2 and 2.5',
  hub: {
    classes: { qwen2: 'Qwen2ForCausalLM' },
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
      return describeDecoder(read, { attentionBias: true, layers })
    },
    tensors: hubNaming
  },
  gguf: {
    architectures: ['qwen2'],
    describe: keys => describeGgufDecoder(keys, { attentionBias: true }),
    tensors: ggufNaming
  }
}
