import { modelInvalid, type PictureCoderConfig } from '@resultity/interface'
import { z } from 'zod'
import { only, type ReadText, readConfig } from './read-config.ts'

export const CODER_CONFIG = 'vae/config.json'

/** As diffusers' autoencoder has it; no file says otherwise. */
const EPSILON = 1e-6

const schema = z.looseObject({
  _class_name: z.literal('AutoencoderKL'),
  in_channels: only(3),
  out_channels: only(3),
  down_block_types: z.array(z.literal('DownEncoderBlock2D')).min(1).max(8),
  up_block_types: z.array(z.literal('UpDecoderBlock2D')).min(1).max(8),
  block_out_channels: z.array(z.number()).min(1).max(8),
  layers_per_block: z.number().default(1),
  act_fn: only('silu'),
  latent_channels: z.number().default(4),
  norm_num_groups: z.number().default(32),
  scaling_factor: z.number().default(0.18215),
  shift_factor: z.number().nullish(),
  latents_mean: z.array(z.number()).max(1024).nullish(),
  latents_std: z.array(z.number()).max(1024).nullish(),
  mid_block_add_attention: z.boolean().default(true),
  use_quant_conv: z.boolean().default(true),
  use_post_quant_conv: z.boolean().default(true)
})

/**
 * What an autoencoder's file says.
 *
 * @throws MeshError `model_invalid` naming what is not supported
 */
export function coderConfigOf(read: ReadText): PictureCoderConfig {
  const file = readConfig(read, CODER_CONFIG, schema)
  const { block_out_channels: levels } = file
  for (const field of ['down_block_types', 'up_block_types'] as const) {
    if (file[field].length === levels.length) continue
    throw modelInvalid(CODER_CONFIG, `"${field}" lists ${file[field].length} for ${levels.length} levels`)
  }
  return {
    latentChannels: file.latent_channels,
    levels,
    blockCount: file.layers_per_block,
    normGroups: file.norm_num_groups,
    epsilon: EPSILON,
    middleAttends: file.mid_block_add_attention,
    afterEncoder: file.use_quant_conv,
    beforeDecoder: file.use_post_quant_conv,
    scalingFactor: file.scaling_factor,
    shift: file.shift_factor ?? 0,
    ...(file.latents_mean == null ? {} : { means: file.latents_mean }),
    ...(file.latents_std == null ? {} : { stds: file.latents_std })
  }
}
