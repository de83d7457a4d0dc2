import type { ClipTextConfig } from '@resultity/interface'
import { z } from 'zod'
import type { ClipTokenizer } from './clip-tokenizer.ts'
import { type ReadText, readConfig } from './read-config.ts'

const schema = z.looseObject({
  architectures: z
    .array(z.enum(['CLIPTextModel', 'CLIPTextModelWithProjection']))
    .max(1)
    .nullish(),
  hidden_size: z.number(),
  intermediate_size: z.number(),
  num_hidden_layers: z.number(),
  num_attention_heads: z.number(),
  max_position_embeddings: z.number().default(77),
  vocab_size: z.number(),
  hidden_act: z.enum(['quick_gelu', 'gelu']).default('quick_gelu'),
  layer_norm_eps: z.number().default(1e-5),
  projection_dim: z.number().default(512)
})

export interface TextUse {
  /** The encoder's folder, such as `text_encoder_2`. */
  readonly folder: string
  readonly states: ClipTextConfig['states']
  /** Whether the denoiser reads a vector of the whole prompt. */
  readonly pooled: boolean
}

/**
 * What a text encoder's file says.
 *
 * @throws MeshError `model_invalid` naming what is not supported
 */
export function textConfigOf(
  read: ReadText,
  { folder, states, pooled }: TextUse,
  { beginToken, endToken, padToken }: ClipTokenizer
): ClipTextConfig {
  const file = readConfig(read, `${folder}/config.json`, schema)
  return {
    layerCount: file.num_hidden_layers,
    hiddenSize: file.hidden_size,
    headCount: file.num_attention_heads,
    intermediateSize: file.intermediate_size,
    vocabularySize: file.vocab_size,
    length: file.max_position_embeddings,
    activation: file.hidden_act,
    epsilon: file.layer_norm_eps,
    states,
    ...(pooled ? { pooledSize: file.projection_dim } : {}),
    beginToken,
    endToken,
    padToken
  }
}
