import { type DenoiserConfig, modelInvalid, TIME_ID_COUNT } from '@resultity/interface'
import { z } from 'zod'
import { only, type ReadText, readConfig, unset } from './read-config.ts'

export const DENOISER_CONFIG = 'unet/config.json'

/** One number for all levels, or one for each. */
const perLevel = z.union([z.number(), z.array(z.number()).max(8)])

const ATTENDING = { down: 'CrossAttnDownBlock2D', up: 'CrossAttnUpBlock2D' } as const
const PLAIN = { down: 'DownBlock2D', up: 'UpBlock2D' } as const

const schema = z.looseObject({
  _class_name: z.literal('UNet2DConditionModel'),
  sample_size: z.number().nullish(),
  in_channels: z.number().default(4),
  out_channels: z.number().default(4),
  down_block_types: z
    .array(z.enum([ATTENDING.down, PLAIN.down]))
    .min(1)
    .max(8),
  up_block_types: z
    .array(z.enum([ATTENDING.up, PLAIN.up]))
    .min(1)
    .max(8),
  block_out_channels: z.array(z.number()).min(1).max(8),
  layers_per_block: perLevel.default(2),
  attention_head_dim: perLevel.default(8),
  num_attention_heads: perLevel.nullish(),
  transformer_layers_per_block: perLevel.default(1),
  cross_attention_dim: z.number().default(1280),
  norm_num_groups: z.number().default(32),
  norm_eps: z.number().default(1e-5),
  addition_embed_type: z.literal('text_time').nullish(),
  addition_time_embed_dim: z.number().nullish(),
  projection_class_embeddings_input_dim: z.number().nullish(),
  mid_block_type: z.literal('UNetMidBlock2DCrossAttn').nullable().default('UNetMidBlock2DCrossAttn'),
  act_fn: only('silu'),
  center_input_sample: only(false),
  flip_sin_to_cos: only(true),
  freq_shift: only(0),
  downsample_padding: only(1),
  mid_block_scale_factor: only(1),
  only_cross_attention: only(false),
  dual_cross_attention: only(false),
  mid_block_only_cross_attention: only(false),
  resnet_time_scale_shift: only('default'),
  resnet_skip_time_act: only(false),
  resnet_out_scale_factor: only(1),
  time_embedding_type: only('positional'),
  attention_type: only('default'),
  class_embeddings_concat: only(false),
  conv_in_kernel: only(3),
  conv_out_kernel: only(3),
  class_embed_type: unset,
  num_class_embeds: unset,
  encoder_hid_dim: unset,
  encoder_hid_dim_type: unset,
  reverse_transformer_layers_per_block: unset,
  time_embedding_dim: unset,
  time_embedding_act_fn: unset,
  timestep_post_act: unset,
  time_cond_proj_dim: unset,
  cross_attention_norm: unset
})

type UnetFile = z.infer<typeof schema>

/**
 * What a UNet's file says. Of the numbers that nobody has checked yet, the manifest's schema has the last word.
 *
 * @returns with the side of the latents that it was trained for
 * @throws MeshError `model_invalid` naming what is not supported
 */
export function denoiserConfigOf(read: ReadText): { readonly denoiser: DenoiserConfig; readonly latentSize: number } {
  const file = readConfig(read, DENOISER_CONFIG, schema)
  const { down_block_types: down, up_block_types: up, block_out_channels: channels } = file
  const attends = down.map(type => type === ATTENDING.down)
  const mirrored = up.toReversed().map(type => type === ATTENDING.up)
  if (mirrored.join() !== attends.join()) {
    throw modelInvalid(DENOISER_CONFIG, '"up_block_types" attend on other levels than "down_block_types"')
  }
  const each = (field: string, value: number | readonly number[]): ((level: number) => number) => {
    if (typeof value === 'number') return () => value
    if (value.length === channels.length) return level => value[level] ?? 0
    throw modelInvalid(DENOISER_CONFIG, `"${field}" lists ${value.length} numbers for ${channels.length} levels`)
  }
  if (down.length !== channels.length) {
    throw modelInvalid(DENOISER_CONFIG, `"down_block_types" lists ${down.length} for ${channels.length} levels`)
  }
  const blockCount = each('layers_per_block', file.layers_per_block)
  // a name of the first versions, kept: it is the number of heads
  const headCount = each('attention_head_dim', file.num_attention_heads ?? file.attention_head_dim)
  const transformerDepth = each('transformer_layers_per_block', file.transformer_layers_per_block)
  const levels = channels.map((size, level) => ({
    channels: size,
    blockCount: blockCount(level),
    attends: attends[level] ?? false,
    headCount: headCount(level),
    transformerDepth: transformerDepth(level)
  }))
  const denoiser = {
    inChannels: file.in_channels,
    outChannels: file.out_channels,
    levels,
    contextSize: file.cross_attention_dim,
    ...(file.mid_block_type === null ? { middle: false as const } : {}),
    normGroups: file.norm_num_groups,
    epsilon: file.norm_eps,
    ...additionOf(file)
  }
  return { denoiser, latentSize: file.sample_size ?? 64 }
}

function additionOf(file: UnetFile): Pick<DenoiserConfig, 'addition'> {
  if (file.addition_embed_type !== 'text_time') return {}
  const { addition_time_embed_dim: timeSize, projection_class_embeddings_input_dim: both } = file
  if (timeSize == null || both == null) {
    const fields = '"addition_time_embed_dim" and "projection_class_embeddings_input_dim"'
    throw modelInvalid(DENOISER_CONFIG, `"addition_embed_type" is "text_time", which needs ${fields}`)
  }
  return { addition: { pooledSize: both - TIME_ID_COUNT * timeSize, timeSize } }
}
