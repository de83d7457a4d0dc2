import { PICTURE_GUIDANCE_MAX, PICTURE_STEPS_MAX, pictureSchedulers } from '@resultity/interface'
import { embeddingsRequestSchema, seedSchema, steeringFields } from '@resultity/openai'
import { writtenFormats } from '@resultity/pictures'
import { z } from 'zod'
import { PICTURES_IN_MAX } from './picture-form.ts'
import { pictureRefSchema } from './picture-ref.ts'

const { store } = embeddingsRequestSchema.shape

/** Pictures that one request makes, as OpenAI limits them. */
export const PICTURES_OUT_MAX = 10

/** As OpenAI limits them. How many tokens a model takes is checked by itself. */
const PROMPT_CHARACTERS_MAX = 32_000

/** Pictures on the way, as OpenAI limits them. */
const PARTIAL_PICTURES_MAX = 3

const prompt = z.string().min(1).max(PROMPT_CHARACTERS_MAX)

const steering = z.looseObject({
  ...steeringFields,
  /** What happens when the client hangs up; default `cancel`. */
  on_disconnect: z.enum(['cancel', 'continue']).nullish()
})

const common = {
  /** May be left out where one model that draws is served. */
  model: z.string().max(512).nullish(),
  n: z.int().min(1).max(PICTURES_OUT_MAX).nullish(),
  /** `WIDTHxHEIGHT` in pixels, of which a model wants multiples of 8 or so; `auto`, the default: as the model or the picture has it. */
  size: z
    .string()
    .regex(/^(?:auto|[1-9]\d{0,4}x[1-9]\d{0,4})$/, 'size is "auto", or WIDTHxHEIGHT such as 512x512')
    .nullish(),
  /** Of the default number of steps, `low` takes half, and `high` and `hd` half as many more. */
  quality: z.enum(['auto', 'standard', 'hd', 'low', 'medium', 'high']).nullish(),
  /** Default `url`, and `b64_json` in lines of batches and in streams. */
  response_format: z.enum(['url', 'b64_json']).nullish(),
  output_format: z.enum(writtenFormats).nullish(),
  /** Quality of `jpeg` and `webp`; default 100. */
  output_compression: z.int().min(0).max(100).nullish(),
  /** What is drawn is opaque. */
  background: z.enum(['auto', 'opaque', 'transparent']).nullish(),
  seed: seedSchema.nullish(),
  steps: z.int().min(1).max(PICTURE_STEPS_MAX).nullish(),
  guidance_scale: z.number().min(0).max(PICTURE_GUIDANCE_MAX).nullish(),
  guidance_rescale: z.number().min(0).max(1).nullish(),
  /** Default: the publisher's choice. */
  scheduler: z.enum(pictureSchedulers).nullish(),
  store,
  mesh: steering.nullish()
}

const told = {
  /** What the picture should not be like. */
  negative_prompt: z.string().max(PROMPT_CHARACTERS_MAX).nullish(),
  stream: z.boolean().nullish(),
  /** Of a stream: how many pictures it shows on the way to each. Fewer steps show fewer. */
  partial_images: z.int().min(0).max(PARTIAL_PICTURES_MAX).nullish()
}

const changed = {
  /** How much of the picture is drawn anew. */
  strength: z.number().positive().max(1).nullish()
}

/** Body of `POST /v1/images/generations`. */
export const generationRequestSchema = z.looseObject({ prompt, ...common, ...told }).meta({ id: 'CreateImageRequest' })

const pictureList = z.array(pictureRefSchema).max(PICTURES_IN_MAX)

/** Body of `POST /v1/images/edits`. Pictures are parts of a form, files that were uploaded, or data URLs. */
export const editRequestSchema = z
  .looseObject({
    prompt,
    /** The picture; in a form `image` or `image[]`. Models here take one. */
    image: z.union([pictureRefSchema, pictureList]).nullish(),
    /** The same, as OpenAI calls it in JSON. */
    images: pictureList.nullish(),
    /** What is wholly transparent in it is painted, and the rest stays. As large as the picture. */
    mask: pictureRefSchema.nullish(),
    ...common,
    ...told,
    ...changed
  })
  .meta({ id: 'CreateImageEditRequest' })

/** Body of `POST /v1/images/variations`. */
export const variationRequestSchema = z
  .looseObject({ image: pictureRefSchema, ...common, ...changed })
  .meta({ id: 'CreateImageVariationRequest' })

/** A checked request of any of the routes, in one form. */
export type ImageRequest = z.infer<typeof generationRequestSchema> &
  Pick<z.infer<typeof editRequestSchema>, 'image' | 'images' | 'mask' | 'strength'>

const usageSchema = z.object({
  /** Tokens of the prompts, and 32 for each megapixel of a picture that came with them, in the size that is drawn. */
  input_tokens: z.int(),
  input_tokens_details: z.object({ text_tokens: z.int(), image_tokens: z.int() }),
  /** 32 for each megapixel of each step. */
  output_tokens: z.int(),
  total_tokens: z.int()
})
export type ImageUsage = z.infer<typeof usageSchema>

const written = z.enum(writtenFormats)

/** What the pictures were made with, to make them again. */
const valuesSchema = z
  .object({
    model: z.string(),
    /** In pixels. */
    size: z.string(),
    /** The digits of one that a number does not hold. */
    seed: z.union([z.int(), z.string()]),
    steps: z.int(),
    scheduler: z.enum(pictureSchedulers),
    guidance_scale: z.number(),
    guidance_rescale: z.number(),
    strength: z.number().optional()
  })
  .meta({ id: 'ImageValues' })
export type ImageValues = z.infer<typeof valuesSchema>

export const imagesAnswerSchema = z
  .object({
    /** Unix seconds. */
    created: z.int(),
    data: z.array(z.object({ b64_json: z.string().optional(), url: z.url().optional() })),
    background: z.literal('opaque'),
    output_format: written,
    /** Where it is one of three sizes that OpenAI lists. */
    size: z.enum(['1024x1024', '1024x1536', '1536x1024']).optional(),
    quality: z.enum(['low', 'medium', 'high']).optional(),
    usage: usageSchema,
    mesh: valuesSchema
  })
  .meta({ id: 'ImagesResponse' })
export type ImagesAnswer = z.infer<typeof imagesAnswerSchema>

const shown = {
  b64_json: z.string(),
  /** Unix seconds. */
  created_at: z.int(),
  /** `auto` for sizes that OpenAI does not list. */
  size: z.enum(['1024x1024', '1024x1536', '1536x1024', 'auto']),
  quality: z.enum(['low', 'medium', 'high', 'auto']),
  background: z.literal('opaque'),
  output_format: written,
  /** Which of the request's pictures it is, from 0. */
  index: z.int()
}

function eventsOf<Name extends string>(name: Name, id: string) {
  return z
    .discriminatedUnion('type', [
      z.object({ type: z.literal(`${name}.partial_image`), ...shown, partial_image_index: z.int() }),
      z.object({ type: z.literal(`${name}.completed`), ...shown, usage: usageSchema, mesh: valuesSchema })
    ])
    .meta({ id })
}

export const generationEventSchema = eventsOf('image_generation', 'ImageGenStreamEvent')
export const editEventSchema = eventsOf('image_edit', 'ImageEditStreamEvent')
