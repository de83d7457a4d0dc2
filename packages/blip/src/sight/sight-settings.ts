import { describeIssues, modelInvalid, type SightConfig, safeParse, sightConfigSchema } from '@resultity/interface'
import { z } from 'zod'
import { type NamedText, parseText, unsupportedIn } from '../import/config.ts'

/** The fields of a `config.json` that decide how pictures are looked at; defaults are `Idefics3Config`'s and `SmolVLMConfig`'s. */
const configSchema = z.looseObject({
  image_token_id: z.number().default(128_257),
  scale_factor: z.number().default(2),
  vision_config: z
    .looseObject({
      hidden_size: z.number().default(1152),
      intermediate_size: z.number().default(3072),
      num_hidden_layers: z.number().default(12),
      num_attention_heads: z.number().default(16),
      num_channels: z.number().default(3),
      image_size: z.number().default(224),
      patch_size: z.number().default(32),
      hidden_act: z.string().default('gelu_pytorch_tanh'),
      layer_norm_eps: z.number().default(1e-6)
    })
    .prefault({})
})

const channels = z.array(z.number()).length(3)
const edge = z.looseObject({ longest_edge: z.number() })

/** `preprocessor_config.json`; defaults are `Idefics3ImageProcessor`'s. */
const processorSchema = z.looseObject({
  do_resize: z.boolean().default(true),
  do_rescale: z.boolean().default(true),
  do_normalize: z.boolean().default(true),
  do_image_splitting: z.boolean().default(true),
  size: edge.default({ longest_edge: 4 * 364 }),
  max_image_size: edge.default({ longest_edge: 364 }),
  resample: z.number().default(1),
  rescale_factor: z.number().default(1 / 255),
  image_mean: channels.default([0.5, 0.5, 0.5]),
  image_std: channels.default([0.5, 0.5, 0.5])
})

/** PIL's number of Lanczos resampling. */
const LANCZOS = 1

/**
 * Numbers of patches a side for which the reference's arithmetic gives some patches the place of a neighbour, by rounding; and its
 * versions do not agree on which.
 */
const ROUNDED_OTHERWISE: ReadonlySet<number> = new Set([
  19, 25, 29, 31, 38, 40, 41, 43, 47, 49, 50, 52, 55, 58, 59, 61, 62
])
/** What was compared with the reference. */
const PATCHES_A_SIDE_MAX = 64

/**
 * The checked settings of what looks at pictures.
 *
 * @throws MeshError `model_invalid` for a field that is wrong and for anything that would compute something else
 */
export function sightConfig(model: NamedText, processor: NamedText | undefined): SightConfig {
  const parsed = parseText(model, configSchema)
  const { vision_config: vision } = parsed
  if (vision.hidden_act !== 'gelu_pytorch_tanh') throw refused(model.file, `the activation "${vision.hidden_act}"`)
  if (vision.num_channels !== 3) throw refused(model.file, `pictures of ${vision.num_channels} colours`)
  const candidate = {
    imageSize: vision.image_size,
    patchSize: vision.patch_size,
    shuffle: parsed.scale_factor,
    ...preparation(processor, vision.image_size),
    tower: {
      layerCount: vision.num_hidden_layers,
      hiddenSize: vision.hidden_size,
      headCount: vision.num_attention_heads,
      feedForwardSize: vision.intermediate_size,
      epsilon: vision.layer_norm_eps
    },
    imageToken: parsed.image_token_id
  }
  const checked = safeParse(sightConfigSchema, candidate)
  if (!checked.success) {
    throw modelInvalid(
      model.file,
      `what looks at pictures is described wrongly: ${describeIssues(checked.error, candidate)}`
    )
  }
  const patches = vision.image_size / vision.patch_size
  if (patches > PATCHES_A_SIDE_MAX || ROUNDED_OTHERWISE.has(patches)) {
    throw refused(model.file, `a side of ${patches} patches`)
  }
  return checked.data
}

/** How pixels become what the model looks at. */
function preparation(
  processor: NamedText | undefined,
  imageSize: number
): Pick<z.input<typeof sightConfigSchema>, 'longestEdge'> & { readonly mean: number[]; readonly deviation: number[] } {
  const { file, text } = processor ?? { file: 'preprocessor_config.json', text: '{}' }
  const settings = parseText({ file, text }, processorSchema)
  const { max_image_size: piece, size, resample, rescale_factor: factor } = settings
  if (piece.longest_edge !== imageSize) {
    throw refused(file, `pieces of ${piece.longest_edge} pixels a side, where the model looks at ${imageSize},`)
  }
  if (resample !== LANCZOS) throw refused(file, `resampling by number ${resample}`)
  if (Math.abs(factor * 255 - 1) > 1e-6) throw refused(file, `a rescale factor of ${factor}`)
  const { do_resize, do_rescale, do_normalize, do_image_splitting } = settings
  if (!(do_resize && do_rescale && do_normalize && do_image_splitting)) {
    throw refused(file, 'a step of preparation that is left out')
  }
  return {
    longestEdge: size.longest_edge,
    mean: settings.image_mean,
    deviation: settings.image_std
  }
}

function refused(file: string, what: string): Error {
  return unsupportedIn(file, what, 'supported are SmolVLM and Idefics 3 as they are published')
}
