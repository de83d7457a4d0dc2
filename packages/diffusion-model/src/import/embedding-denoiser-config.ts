import { type DenoiserConfig, modelInvalid } from '@resultity/interface'
import { z } from 'zod'
import { only, type ReadText, readConfig, unset } from './read-config.ts'

const ATTENDING = { down: 'SimpleCrossAttnDownBlock2D', up: 'SimpleCrossAttnUpBlock2D' } as const
const PLAIN = { down: 'ResnetDownsampleBlock2D', up: 'ResnetUpsampleBlock2D' } as const

/** Positions that an embedding is made to: of every published UNet that draws one. */
const TOKEN_COUNT = 32

const levels = z.number().or(z.array(z.number()).max(8))

const schema = z.looseObject({
  _class_name: z.literal('UNet2DConditionModel'),
  sample_size: z.number().nullish(),
  in_channels: z.number(),
  out_channels: z.number(),
  down_block_types: z
    .array(z.enum([ATTENDING.down, PLAIN.down]))
    .min(1)
    .max(8),
  up_block_types: z
    .array(z.enum([ATTENDING.up, PLAIN.up]))
    .min(1)
    .max(8),
  mid_block_type: z.literal('UNetMidBlock2DSimpleCrossAttn'),
  block_out_channels: z.array(z.number()).min(1).max(8),
  layers_per_block: levels.default(2),
  attention_head_dim: levels.default(8),
  cross_attention_dim: z.number().default(1280),
  encoder_hid_dim: z.number(),
  encoder_hid_dim_type: z.literal('image_proj'),
  addition_embed_type: z.literal('image'),
  resnet_time_scale_shift: z.literal('scale_shift'),
  norm_num_groups: z.number().default(32),
  norm_eps: z.number().default(1e-5),
  act_fn: only('silu'),
  center_input_sample: only(false),
  flip_sin_to_cos: only(true),
  freq_shift: only(0),
  mid_block_scale_factor: only(1),
  only_cross_attention: only(false),
  mid_block_only_cross_attention: only(false),
  dual_cross_attention: only(false),
  resnet_skip_time_act: only(false),
  resnet_out_scale_factor: only(1),
  time_embedding_type: only('positional'),
  class_embeddings_concat: only(false),
  conv_in_kernel: only(3),
  conv_out_kernel: only(3),
  num_attention_heads: unset,
  class_embed_type: unset,
  num_class_embeds: unset,
  projection_class_embeddings_input_dim: unset,
  time_embedding_dim: unset,
  time_embedding_act_fn: unset,
  timestep_post_act: unset,
  time_cond_proj_dim: unset,
  cross_attention_norm: unset
})

/**
 * What the file of a UNet says that draws embeddings of pictures (Kandinsky 2.2).
 *
 * @returns with the side of the latents that it was trained for
 * @throws MeshError `model_invalid` naming what is not supported
 */
export function embeddingDenoiserOf(
  read: ReadText,
  path: string
): { readonly denoiser: DenoiserConfig; readonly latentSize: number } {
  const file = readConfig(read, path, schema)
  const { down_block_types: down, up_block_types: up, block_out_channels: channels } = file
  const attends = down.map(type => type === ATTENDING.down)
  const mirrored = up.toReversed().map(type => type === ATTENDING.up)
  if (mirrored.join() !== attends.join() || down.length !== channels.length) {
    throw modelInvalid(path, '"down_block_types" and "up_block_types" do not mirror each other, level by level')
  }
  const each = (field: string, value: number | readonly number[], level: number): number => {
    if (typeof value === 'number') return value
    if (value.length === channels.length) return value[level] ?? 0
    throw modelInvalid(path, `"${field}" lists ${value.length} numbers for ${channels.length} levels`)
  }
  const denoiser = {
    inChannels: file.in_channels,
    outChannels: file.out_channels,
    levels: channels.map((size, level) => ({
      channels: size,
      blockCount: each('layers_per_block', file.layers_per_block, level),
      attends: attends[level] ?? false,
      // here it is what its name says: the size of a head
      headCount: size / each('attention_head_dim', file.attention_head_dim, level),
      transformerDepth: 1
    })),
    contextSize: file.encoder_hid_dim,
    normGroups: file.norm_num_groups,
    epsilon: file.norm_eps,
    embedding: { tokenCount: TOKEN_COUNT, tokenSize: file.cross_attention_dim }
  }
  return { denoiser, latentSize: file.sample_size ?? 64 }
}
