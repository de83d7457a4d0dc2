import { z } from 'zod'
import { steeringFields } from '../chat/chat-schema.ts'

/** Inputs of one request, as OpenAI limits them. */
export const EMBEDDING_INPUTS_MAX = 2048

/** A list of token ids longer than this fits no model; what the model in question takes is checked by itself. */
const TOKENS_MAX = 65_536

const tokens = z.array(z.int().min(0)).min(1).max(TOKENS_MAX)

/**
 * Body of `POST /v1/embeddings`. Unknown fields are let through and ignored, as other servers do, since clients send
 * more than any one server knows.
 */
export const embeddingsRequestSchema = z
  .looseObject({
    model: z.string().max(512).optional(),
    input: z.union(
      [
        z.string(),
        z.array(z.string()).min(1).max(EMBEDDING_INPUTS_MAX),
        tokens,
        z.array(tokens).min(1).max(EMBEDDING_INPUTS_MAX)
      ],
      {
        error:
          'input is a text, a list of texts, a list of token ids or a list of such lists; ' +
          `lists are not empty, and of texts or lists there are at most ${EMBEDDING_INPUTS_MAX}`
      }
    ),
    encoding_format: z.enum(['float', 'base64']).nullish(),
    dimensions: z.int().min(1).nullish(),
    /** As in vLLM: cut inputs off after so many tokens; -1 for as many as the model takes. Default: refuse longer ones. */
    truncate_prompt_tokens: z.int().min(-1).nullish(),
    /** `false`: nothing of it is kept once the client has the answer. */
    store: z.boolean().nullish(),
    mesh: z.looseObject(steeringFields).nullish()
  })
  .meta({ id: 'CreateEmbeddingRequest' })
export type EmbeddingsRequest = z.infer<typeof embeddingsRequestSchema>

export const embeddingsAnswerSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(
      z.object({
        object: z.literal('embedding'),
        index: z.int(),
        /** Numbers, or with `encoding_format` "base64" the same as f32, little endian. */
        embedding: z.union([z.array(z.number()), z.string()])
      })
    ),
    model: z.string(),
    usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() })
  })
  .meta({ id: 'CreateEmbeddingResponse' })
export type EmbeddingsAnswer = z.infer<typeof embeddingsAnswerSchema>
