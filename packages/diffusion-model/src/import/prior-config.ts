import { modelInvalid, type PriorConfig } from '@resultity/interface'
import { z } from 'zod'
import { only, type ReadText, readConfig, unset } from './read-config.ts'

export const PRIOR_CONFIG = 'prior_prior/config.json'
export const PRIOR_SCHEDULER = 'prior_scheduler/scheduler_config.json'
export const SIGHT_CONFIG = 'prior_image_encoder/config.json'

const size = z.number()

const priorSchema = z.looseObject({
  _class_name: z.literal('PriorTransformer'),
  num_attention_heads: size.default(32),
  attention_head_dim: size.default(64),
  num_layers: size.default(20),
  embedding_dim: size.default(768),
  num_embeddings: size.default(77),
  additional_embeddings: only(4),
  time_embed_act_fn: only('silu'),
  norm_in_type: unset,
  embedding_proj_norm_type: unset,
  encoder_hid_proj_type: only('linear'),
  added_emb_type: only('prd'),
  time_embed_dim: size.nullish(),
  embedding_proj_dim: size.nullish(),
  clip_embed_dim: size.nullish()
})

const schedulerSchema = z.looseObject({
  _class_name: z.literal('UnCLIPScheduler'),
  num_train_timesteps: size.default(1000),
  variance_type: only('fixed_small_log'),
  clip_sample: z.boolean().default(true),
  clip_sample_range: size.default(1),
  prediction_type: z.literal('sample'),
  beta_schedule: only('squaredcos_cap_v2')
})

const sightSchema = z.looseObject({
  architectures: z.array(z.literal('CLIPVisionModelWithProjection')).max(1).nullish(),
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_channels: only(3),
  image_size: size.default(224),
  patch_size: size.default(32),
  hidden_act: z.enum(['quick_gelu', 'gelu']).default('quick_gelu'),
  layer_norm_eps: size.default(1e-5),
  projection_dim: size.default(512)
})

/**
 * What the files of a prior say: of its transformer, of how it was trained, and of what looks at pictures beside it.
 *
 * @throws MeshError `model_invalid` naming what is not supported
 */
export function priorConfigOf(read: ReadText): PriorConfig {
  const file = readConfig(read, PRIOR_CONFIG, priorSchema)
  const schedule = readConfig(read, PRIOR_SCHEDULER, schedulerSchema)
  const sight = readConfig(read, SIGHT_CONFIG, sightSchema)
  const hiddenSize = file.num_attention_heads * file.attention_head_dim
  const { embedding_dim: embeddingSize } = file
  for (const [field, value, wanted] of [
    ['time_embed_dim', file.time_embed_dim, hiddenSize],
    ['embedding_proj_dim', file.embedding_proj_dim, embeddingSize],
    ['clip_embed_dim', file.clip_embed_dim, embeddingSize]
  ] as const) {
    if ((value ?? wanted) !== wanted) throw modelInvalid(PRIOR_CONFIG, `"${field}" is ${value}, and must be ${wanted}`)
  }
  if (sight.projection_dim !== embeddingSize) {
    throw modelInvalid(SIGHT_CONFIG, `"projection_dim" is ${sight.projection_dim}, and must be ${embeddingSize}`)
  }
  return {
    layerCount: file.num_layers,
    headCount: file.num_attention_heads,
    hiddenSize,
    embeddingSize,
    length: file.num_embeddings,
    trainSteps: schedule.num_train_timesteps,
    ...(schedule.clip_sample ? { clip: schedule.clip_sample_range } : {}),
    sight: {
      layerCount: sight.num_hidden_layers,
      hiddenSize: sight.hidden_size,
      headCount: sight.num_attention_heads,
      intermediateSize: sight.intermediate_size,
      pictureSize: sight.image_size,
      patchSize: sight.patch_size,
      activation: sight.hidden_act,
      epsilon: sight.layer_norm_eps
    }
  }
}
