import type { DecoderTraits, ModelConfig } from '@resultity/interface'
import { z } from 'zod'
import { decoderFields, orElse } from './hub-config.ts'
import { describeDecoder, refuseActivation, refuseBiases } from './hub-decoder.ts'
import { slidingLayers } from './sliding-layers.ts'

/** What Qwen's configurations have of windows; defaults are those of `Qwen2Config` and `Qwen3Config`. */
export const qwenFields = decoderFields.extend({
  max_position_embeddings: orElse(z.number(), 32_768),
  use_sliding_window: orElse(z.boolean(), false),
  sliding_window: z.number().nullish(),
  /** The first layers attend to all positions. */
  max_window_layers: orElse(z.number(), 28),
  layer_types: z.array(z.string()).nullish()
})

/**
 * A decoder of Qwen's, whose later layers may have a window.
 * @throws Unsupported for what no Qwen has
 */
export function describeQwen(read: z.infer<typeof qwenFields>, traits: DecoderTraits): ModelConfig {
  refuseActivation(read.hidden_act, 'silu')
  refuseBiases(read)
  const layers = slidingLayers({
    layerCount: read.num_hidden_layers,
    window: read.use_sliding_window ? (read.sliding_window ?? 4096) : null,
    types: read.layer_types,
    slides: layer => layer >= read.max_window_layers
  })
  return describeDecoder(read, { ...traits, layers })
}
