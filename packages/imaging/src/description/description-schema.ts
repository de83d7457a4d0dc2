import { DESCRIPTION_TOKENS_MAX } from '@resultity/interface'
import { embeddingsRequestSchema, samplingFields, steeringFields } from '@resultity/openai'
import { z } from 'zod'
import { pictureRefSchema } from '../picture-ref.ts'

const { store } = embeddingsRequestSchema.shape
const { temperature, top_p, seed, repetition_penalty } = samplingFields

/** How many tokens a model takes is checked by itself. */
const PROMPT_CHARACTERS_MAX = 32_000

const steering = z.looseObject({
  ...steeringFields,
  /** What happens when the client hangs up; default `cancel`. */
  on_disconnect: z.enum(['cancel', 'continue']).nullish()
})

/** Body of `POST /v1/images/description`. The picture is a part of a form, a file that was uploaded, or a data URL. */
export const descriptionRequestSchema = z
  .looseObject({
    image: pictureRefSchema.nullish(),
    /** The same by another name. */
    file: pictureRefSchema.nullish(),
    /** May be left out where one model that describes pictures is served. */
    model: z.string().max(512).nullish(),
    /** Of a model that answers questions, the question; of another, how the description begins. */
    prompt: z.string().max(PROMPT_CHARACTERS_MAX).nullish(),
    /** Of the description, its given beginning not counted. Default 64. */
    max_tokens: z.int().min(1).max(DESCRIPTION_TOKENS_MAX).nullish(),
    min_tokens: z.int().min(0).max(DESCRIPTION_TOKENS_MAX).nullish(),
    /** Default 0: what is likeliest. */
    temperature,
    top_p,
    repetition_penalty,
    seed,
    stream: z.literal(false, { error: 'descriptions are short, and not streamed' }).nullish(),
    store,
    mesh: steering.nullish()
  })
  .meta({ id: 'CreateImageDescriptionRequest' })
export type DescriptionRequest = z.infer<typeof descriptionRequestSchema>

export const descriptionAnswerSchema = z
  .object({
    description: z.string(),
    model: z.string(),
    usage: z.object({
      /** Of the prompt, and one for each part of the picture that the model looks at. */
      prompt_tokens: z.int(),
      completion_tokens: z.int(),
      total_tokens: z.int()
    })
  })
  .meta({ id: 'ImageDescription' })
export type DescriptionAnswer = z.infer<typeof descriptionAnswerSchema>
