import { embeddingsRequestSchema } from '@resultity/openai'
import { z } from 'zod'
import { optionsSchema } from './option-fields.ts'
import { keepAlive } from './text-schema.ts'

const { dimensions, store, mesh } = embeddingsRequestSchema.shape

const common = {
  model: z.string().max(512).optional(),
  /** About how a model is loaded: none of them changes a vector. */
  options: optionsSchema.nullish(),
  keep_alive: keepAlive,
  store,
  mesh
}

/** Texts of one request. */
const INPUTS_MAX = 2048

/** Body of `POST /api/embed`. Without input it asks whether the model is there. */
export const embedBodySchema = z
  .looseObject({
    ...common,
    input: z
      .union([z.string(), z.array(z.string()).max(INPUTS_MAX)], { error: 'input is a text, or a list of texts' })
      .nullish(),
    /** Cut inputs off that are too long, and not refuse them. Default true. */
    truncate: z.boolean().nullish(),
    dimensions
  })
  .meta({ id: 'OllamaEmbedRequest' })
export type EmbedBody = z.infer<typeof embedBodySchema>

export const embedAnswerSchema = z
  .object({
    model: z.string(),
    embeddings: z.array(z.array(z.number())),
    total_duration: z.int(),
    load_duration: z.int(),
    prompt_eval_count: z.int()
  })
  .meta({ id: 'OllamaEmbedAnswer' })

/** Body of `POST /api/embeddings`, which came before `/api/embed`. */
export const embeddingsBodySchema = z
  .looseObject({ ...common, prompt: z.string().nullish() })
  .meta({ id: 'OllamaEmbeddingsRequest' })
export type EmbeddingsBody = z.infer<typeof embeddingsBodySchema>

export const embeddingsAnswerSchema = z
  .object({ embedding: z.array(z.number()) })
  .meta({ id: 'OllamaEmbeddingsAnswer' })
