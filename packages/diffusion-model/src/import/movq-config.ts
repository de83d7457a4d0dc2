import { modelInvalid, type PictureCoderConfig } from '@resultity/interface'
import { z } from 'zod'
import { only, type ReadText, readConfig } from './read-config.ts'

export const MOVQ_CONFIG = 'movq/config.json'

/** As diffusers has them; no file says otherwise. */
const EPSILON = 1e-6
const LATENT_NORM_GROUPS = 32

const schema = z.looseObject({
  _class_name: z.literal('VQModel'),
  in_channels: only(3),
  out_channels: only(3),
  down_block_types: z
    .array(z.enum(['DownEncoderBlock2D', 'AttnDownEncoderBlock2D']))
    .min(1)
    .max(8),
  up_block_types: z
    .array(z.enum(['UpDecoderBlock2D', 'AttnUpDecoderBlock2D']))
    .min(1)
    .max(8),
  block_out_channels: z.array(z.number()).min(1).max(8),
  layers_per_block: z.number().default(1),
  act_fn: only('silu'),
  latent_channels: z.number().default(3),
  norm_num_groups: z.number().default(32),
  vq_embed_dim: z.number().nullish(),
  norm_type: z.literal('spatial'),
  mid_block_add_attention: z.boolean().default(true),
  lookup_from_codebook: only(false)
})

/**
 * What the file of a MoVQ says. Its codebook is not used: latents are drawn as they are.
 *
 * @throws MeshError `model_invalid` naming what is not supported
 */
export function movqConfigOf(read: ReadText): PictureCoderConfig {
  const file = readConfig(read, MOVQ_CONFIG, schema)
  const { block_out_channels: levels, down_block_types: down, up_block_types: up, latent_channels: latents } = file
  const deepest = (types: readonly string[]): boolean =>
    types.length === levels.length && types.every((type, index) => type.startsWith('Attn') === (index === 0))
  if (!deepest(down.toReversed()) || !deepest(up)) {
    throw modelInvalid(MOVQ_CONFIG, 'attends elsewhere than on its deepest level', 'The coder of Kandinsky 2 does so.')
  }
  if ((file.vq_embed_dim ?? latents) !== latents) {
    throw modelInvalid(MOVQ_CONFIG, `"vq_embed_dim" is ${file.vq_embed_dim}, and "latent_channels" ${latents}`)
  }
  return {
    latentChannels: latents,
    levels,
    blockCount: file.layers_per_block,
    normGroups: file.norm_num_groups,
    epsilon: EPSILON,
    middleAttends: file.mid_block_add_attention,
    afterEncoder: true,
    beforeDecoder: true,
    scalingFactor: 1,
    shift: 0,
    latentNorm: { normGroups: LATENT_NORM_GROUPS }
  }
}
