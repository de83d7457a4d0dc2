import { embeddingsRequestSchema } from '@resultity/openai'
import { z } from 'zod'
import { CATEGORIES } from './moderation-categories.ts'

const { truncate_prompt_tokens, store, mesh } = embeddingsRequestSchema.shape

const INPUTS_MAX = 2048

const part = z.looseObject({ type: z.string(), text: z.string().optional() })
export type ModerationPart = z.infer<typeof part>

/** Body of `POST /v1/moderations`. */
export const moderationRequestSchema = z
  .looseObject({
    /** May be left out where one model that has labels is served. */
    model: z.string().max(512).nullish(),
    input: z.union([z.string(), z.array(z.string()).min(1).max(INPUTS_MAX), z.array(part).min(1).max(INPUTS_MAX)], {
      error: 'input is a text, a list of texts, or a list of text parts'
    }),
    /** As for embeddings: cut off what is longer than so many tokens; -1 for as many as fit. Default: refuse it. */
    truncate_prompt_tokens,
    store,
    mesh
  })
  .meta({ id: 'CreateModerationRequest' })
export type ModerationRequest = z.infer<typeof moderationRequestSchema>

/** All of OpenAI's categories, and the model's own labels that are none of them. */
function byCategory<T extends z.ZodType>(value: T) {
  return z.object(Object.fromEntries(CATEGORIES.map(name => [name, value]))).catchall(value)
}

const result = z.object({
  /** Whether any of them is. */
  flagged: z.boolean(),
  categories: byCategory(z.boolean()),
  category_scores: byCategory(z.number()),
  category_applied_input_types: byCategory(z.array(z.literal('text')))
})
export type ModerationResult = z.infer<typeof result>

export const moderationAnswerSchema = z
  .object({ id: z.string(), model: z.string(), results: z.array(result) })
  .meta({ id: 'CreateModerationResponse' })
export type ModerationAnswer = z.infer<typeof moderationAnswerSchema>
