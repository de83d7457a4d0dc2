import { describeIssues, modelInvalid, safeParse } from '@resultity/interface'
import { z } from 'zod'

/** A `config.json`, and how it is named in errors. */
export interface HubConfig {
  readonly file: string
  readonly json: unknown
}

/** A field that may be missing or null, which says the same. */
export function orElse<T extends z.ZodType>(schema: T, value: z.output<T>) {
  return schema.nullish().transform(found => found ?? value)
}

/** @throws MeshError `model_invalid` naming the fields that are wrong */
export function readFields<T extends z.ZodType>({ file, json }: HubConfig, schema: T): z.output<T> {
  const parsed = safeParse(schema, json)
  if (!parsed.success) throw modelInvalid(file, describeIssues(parsed.error, json))
  return parsed.data
}

/** The fields of a rotary embedding, wherever a version of transformers puts them. */
export const ropeFields = z.looseObject({
  rope_type: z.string().nullish(),
  type: z.string().nullish(),
  rope_theta: z.number().nullish(),
  partial_rotary_factor: z.number().nullish(),
  factor: z.number().nullish(),
  low_freq_factor: z.number().nullish(),
  high_freq_factor: z.number().nullish(),
  original_max_position_embeddings: z.number().nullish(),
  beta_fast: z.number().nullish(),
  beta_slow: z.number().nullish(),
  attention_factor: z.number().nullish(),
  mscale: z.number().nullish(),
  mscale_all_dim: z.number().nullish(),
  truncate: z.boolean().nullish(),
  short_factor: z.array(z.number()).nullish(),
  long_factor: z.array(z.number()).nullish()
})
export type RopeFields = z.infer<typeof ropeFields>

/** What decides the size of every decoder; a family adds its own fields, and its own defaults. */
export const decoderFields = z.looseObject({
  hidden_size: z.number(),
  intermediate_size: z.number(),
  num_hidden_layers: z.number(),
  num_attention_heads: z.number(),
  num_key_value_heads: z.number().nullish(),
  head_dim: z.number().nullish(),
  vocab_size: z.number(),
  max_position_embeddings: orElse(z.number(), 2048),
  rms_norm_eps: orElse(z.number(), 1e-6),
  rope_theta: z.number().nullish(),
  rope_scaling: ropeFields.nullish(),
  original_max_position_embeddings: z.number().nullish(),
  /** transformers 5 moves `rope_theta` and `rope_scaling` here. */
  rope_parameters: ropeFields.nullish(),
  hidden_act: orElse(z.string(), 'silu'),
  attention_bias: orElse(z.boolean(), false),
  mlp_bias: orElse(z.boolean(), false),
  tie_word_embeddings: orElse(z.boolean(), false)
})
export type DecoderFields = z.infer<typeof decoderFields>
