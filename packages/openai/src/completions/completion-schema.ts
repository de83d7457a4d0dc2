import { z } from 'zod'
import { endingFields } from '../answer/ending-fields.ts'
import { formatFields } from '../answer/response-format.ts'
import { samplingFields } from '../answer/sampling-fields.ts'
import { tokenUsageSchema } from '../answer/token-usage.ts'
import { CHOICES_MAX, meshFields, meshReport, streamOptions } from '../chat/chat-schema.ts'
import { ensembleFields, ensembleReportSchema } from '../ensembles/ensemble-schema.ts'

/** Prompts of one request, as OpenAI has it. */
const PROMPTS_MAX = 2048

/** Tokens of one prompt as ids: more than any context has. */
const PROMPT_TOKENS_MAX = 1_048_576

/** Alternatives to a token; OpenAI gives 5, other servers more. */
const LOGPROBS_MAX = 20

const tokenIds = z.array(z.int().min(0)).min(1).max(PROMPT_TOKENS_MAX)

const prompt = z.union(
  [z.string(), z.array(z.string()).min(1).max(PROMPTS_MAX), tokenIds, z.array(tokenIds).min(1).max(PROMPTS_MAX)],
  {
    error: `prompt is a text, a list of token ids, or a list of at most ${PROMPTS_MAX} of either`
  }
)

/** Body of `POST /v1/completions`. Unknown fields are ignored. */
export const completionRequestSchema = z
  .looseObject({
    model: z.string().max(512).optional(),
    prompt,
    max_tokens: z.int().min(0).nullish(),
    /** `false`: nothing of it is kept once the client has the answer. */
    store: z.boolean().nullish(),
    ...samplingFields,
    ...endingFields,
    stream: z.boolean().nullish(),
    stream_options: streamOptions.nullish(),
    /** Choices for each prompt, each with a seed of its own. */
    n: z.int().min(1).max(CHOICES_MAX).nullish(),
    best_of: z.int().min(1).max(CHOICES_MAX).nullish(),
    /** Begin each choice with its prompt. */
    echo: z.boolean().nullish(),
    logprobs: z.int().min(0).max(LOGPROBS_MAX).nullish(),
    /** As in vLLM. */
    ...formatFields,
    mesh: meshFields.nullish(),
    ...ensembleFields
  })
  .meta({ id: 'CompletionRequest' })
export type CompletionRequest = z.infer<typeof completionRequestSchema>

const completionLogprobs = z.object({
  tokens: z.array(z.string()),
  /** Null for the first token of a prompt: nothing stands before it. */
  token_logprobs: z.array(z.number().nullable()),
  top_logprobs: z.array(z.record(z.string(), z.number()).nullable()),
  /** Where each token begins in `text`, in UTF-16 code units. */
  text_offset: z.array(z.int())
})
export type CompletionLogprobs = z.infer<typeof completionLogprobs>

const completionChoice = z.object({
  index: z.int(),
  text: z.string(),
  logprobs: completionLogprobs.nullable(),
  finish_reason: z.enum(['stop', 'length']),
  /** Where several were asked: who made this choice. */
  model: z.string().optional()
})

const head = {
  id: z.string(),
  object: z.literal('text_completion'),
  created: z.int(),
  model: z.string(),
  system_fingerprint: z.string()
}

export const completionSchema = z
  .object({
    ...head,
    choices: z.array(completionChoice),
    usage: tokenUsageSchema,
    /** Not there when nothing had to be computed. */
    mesh: z.union([meshReport, ensembleReportSchema]).optional()
  })
  .meta({ id: 'Completion' })
export type Completion = z.infer<typeof completionSchema>

/** A piece of a choice, as the stream and the job's log have it. */
const completionPiece = completionChoice.extend({ finish_reason: completionChoice.shape.finish_reason.nullable() })
export type CompletionPiece = z.infer<typeof completionPiece>

export const completionChunkSchema = z
  .object({
    ...head,
    choices: z.array(completionPiece),
    usage: tokenUsageSchema.nullable().optional(),
    mesh: z.union([meshReport, ensembleReportSchema]).optional()
  })
  .meta({ id: 'CompletionChunk' })
export type CompletionChunk = z.infer<typeof completionChunkSchema>
