import { type BlipConfig, blipConfigSchema, describeIssues, modelInvalid, safeParse } from '@resultity/interface'
import { z } from 'zod'

/** A text, and the file that it is read from. */
export interface NamedText {
  readonly file: string
  readonly text: string
}

/** The fields of a `config.json` that decide what a BLIP computes; defaults are `BlipTextConfig`'s and `BlipVisionConfig`'s. */
const configSchema = z.looseObject({
  model_type: z.literal('blip'),
  text_config: z
    .looseObject({
      vocab_size: z.number().default(30_524),
      hidden_size: z.number().default(768),
      intermediate_size: z.number().default(3072),
      num_hidden_layers: z.number().default(12),
      num_attention_heads: z.number().default(8),
      max_position_embeddings: z.number().default(512),
      hidden_act: z.string().default('gelu'),
      layer_norm_eps: z.number().default(1e-12),
      bos_token_id: z.number().default(30_522),
      sep_token_id: z.number().default(102),
      position_embedding_type: z.string().default('absolute')
    })
    .prefault({}),
  vision_config: z
    .looseObject({
      hidden_size: z.number().default(768),
      intermediate_size: z.number().default(3072),
      num_hidden_layers: z.number().default(12),
      num_attention_heads: z.number().default(12),
      image_size: z.number().default(384),
      patch_size: z.number().default(16),
      hidden_act: z.string().default('gelu'),
      layer_norm_eps: z.number().default(1e-5)
    })
    .prefault({})
})

const channels = z.array(z.number()).length(3)

/** `preprocessor_config.json`; defaults are `BlipImageProcessor`'s. */
const processorSchema = z.looseObject({
  do_resize: z.boolean().default(true),
  do_rescale: z.boolean().default(true),
  do_normalize: z.boolean().default(true),
  size: z.union([z.number(), z.looseObject({ height: z.number(), width: z.number() })]).optional(),
  resample: z.number().default(3),
  rescale_factor: z.number().default(1 / 255),
  image_mean: channels.default([0.481_454_66, 0.457_827_5, 0.408_210_73]),
  image_std: channels.default([0.268_629_54, 0.261_302_58, 0.275_777_11])
})

const SUPPORTED = 'supported are BLIPs as Salesforce publishes them: for captions, and for questions'

/** PIL's number of bicubic resampling. */
const BICUBIC = 3

/**
 * The checked configuration.
 *
 * @param task as the weights say it
 * @throws MeshError `model_invalid` for a field that is wrong and for anything that would compute something else
 */
export function blipConfig(model: NamedText, processor: NamedText | undefined, task: BlipConfig['task']): BlipConfig {
  const { text_config: text, vision_config: vision } = parseText(model, configSchema)
  for (const { hidden_act } of [text, vision]) {
    if (hidden_act !== 'gelu') throw unsupported(model.file, `the activation "${hidden_act}"`)
  }
  if (text.position_embedding_type !== 'absolute') {
    throw unsupported(model.file, `the position embedding "${text.position_embedding_type}"`)
  }
  const tower = (part: typeof text | typeof vision): BlipConfig['text'] => ({
    layerCount: part.num_hidden_layers,
    hiddenSize: part.hidden_size,
    headCount: part.num_attention_heads,
    feedForwardSize: part.intermediate_size,
    epsilon: part.layer_norm_eps
  })
  const candidate = {
    task,
    imageSize: vision.image_size,
    patchSize: vision.patch_size,
    ...preparation(processor, vision.image_size),
    vision: tower(vision),
    text: tower(text),
    textContext: text.max_position_embeddings,
    vocabularySize: text.vocab_size,
    tokens: { begin: text.bos_token_id, end: text.sep_token_id }
  }
  const parsed = safeParse(blipConfigSchema, candidate)
  if (parsed.success) return parsed.data
  throw modelInvalid(model.file, `the model's configuration is wrong: ${describeIssues(parsed.error, candidate)}`)
}

/** How pixels become what the model looks at. */
function preparation(
  processor: NamedText | undefined,
  imageSize: number
): { readonly mean: number[]; readonly deviation: number[] } {
  const { file, text } = processor ?? { file: 'preprocessor_config.json', text: '{}' }
  const settings = parseText({ file, text }, processorSchema)
  const { size = imageSize, resample, rescale_factor: factor } = settings
  const { height, width } = typeof size === 'number' ? { height: size, width: size } : size
  if (height !== imageSize || width !== imageSize) {
    throw unsupported(file, `a size of ${width} × ${height}, where the model looks at ${imageSize} × ${imageSize},`)
  }
  if (resample !== BICUBIC) throw unsupported(file, `resampling by number ${resample}`)
  if (Math.abs(factor * 255 - 1) > 1e-6) throw unsupported(file, `a rescale factor of ${factor}`)
  if (!(settings.do_resize && settings.do_rescale && settings.do_normalize)) {
    throw unsupported(file, 'a step of preparation that is left out')
  }
  return { mean: settings.image_mean, deviation: settings.image_std }
}

/** @throws MeshError `model_invalid` for what is no JSON, and naming the fields that are wrong */
export function parseText<Schema extends z.ZodType>({ file, text }: NamedText, schema: Schema): z.infer<Schema> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw modelInvalid(file, 'is not JSON')
  }
  const parsed = safeParse(schema, json)
  if (!parsed.success) throw modelInvalid(file, describeIssues(parsed.error, json))
  return parsed.data
}

function unsupported(file: string, what: string): Error {
  return unsupportedIn(file, what, SUPPORTED)
}

export function unsupportedIn(file: string, what: string, supported: string): Error {
  return modelInvalid(file, `${what} is not supported`, supported)
}
