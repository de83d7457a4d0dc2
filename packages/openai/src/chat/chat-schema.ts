import { nodeListSchema, regionSchema } from '@resultity/interface'
import { z } from 'zod'
import { endingFields } from '../answer/ending-fields.ts'
import { metadataSchema } from '../answer/metadata.ts'
import { reasoningFields } from '../answer/reasoning-fields.ts'
import { formatFields } from '../answer/response-format.ts'
import { samplingFields } from '../answer/sampling-fields.ts'
import { tokenUsageSchema } from '../answer/token-usage.ts'
import { ensembleFields, ensembleMeshFields, ensembleReportSchema } from '../ensembles/ensemble-schema.ts'
import {
  functionCallDeltaSchema,
  functionCallSchema,
  legacyCallSchema,
  legacyToolFields,
  pastCallSchema,
  toolCallDeltaSchema,
  toolCallSchema,
  toolFields
} from '../tools/tool-schema.ts'
import { templateFields } from './template-fields.ts'
import { contentPartSchema } from './text-parts.ts'

/** Longest conversation taken, in messages. */
const MESSAGES_MAX = 8192
const PARTS_MAX = 1024
export const CHOICES_MAX = 128
/** Calls of one message. */
const TOOL_CALLS_MAX = 1024

const content = z.union([z.string(), z.array(contentPartSchema).max(PARTS_MAX), z.null()], {
  error: 'content is a string, a list of text parts, or null'
})

const message = z.looseObject({
  role: z.enum(['developer', 'system', 'user', 'assistant', 'tool', 'function']),
  content: content.optional(),
  /** Of an assistant's message without content: why it would not answer. */
  refusal: z.string().nullish(),
  /** Of an assistant's message: what it reasoned, as answers call it. Whether the model is shown it is its template's matter. */
  reasoning_content: z.string().nullish(),
  /** As newer vLLM and others call it. */
  reasoning: z.string().nullish(),
  /** Of an assistant's message: the calls that it made. */
  tool_calls: z.array(pastCallSchema).max(TOOL_CALLS_MAX).nullish(),
  /** Of an assistant's message: its only call, as it was told before there were several. */
  function_call: legacyCallSchema.nullish(),
  /** Of a tool's message: the call that it answers. */
  tool_call_id: z.string().max(256).nullish(),
  name: z.string().max(256).nullish()
})

export const streamOptions = z.looseObject({ include_usage: z.boolean().nullish() })

/** Tokens of the answer. OpenAI's newer and older name for the same. */
const tokenLimit = z.int().min(1).nullish()

/** Ours: where the mesh is to serve a request. */
export const steeringFields = {
  /** Run on a route of exactly so many stages. */
  stages: z.int().min(1).max(1024).nullish(),
  /** Run on nodes of this subcloud only. */
  subcloud: z.string().max(64).nullish(),
  /** Run on nodes with this label `region` only. */
  region: regionSchema.nullish(),
  /** Run on these nodes only, or some of them. */
  nodes: nodeListSchema.nullish()
}

/** Ours: how the mesh is to serve a request. */
export const meshFields = z.looseObject({
  ...steeringFields,
  /** What happens when the client hangs up; default `cancel`. */
  on_disconnect: z.enum(['cancel', 'continue']).nullish(),
  ...ensembleMeshFields
})

/**
 * Body of `POST /v1/chat/completions`. Unknown fields are let through and ignored, as other servers do, since clients
 * send more than any one server knows.
 */
export const chatRequestSchema = z
  .looseObject({
    model: z.string().max(512).optional(),
    messages: z.array(message).min(1).max(MESSAGES_MAX),
    max_tokens: tokenLimit,
    max_completion_tokens: tokenLimit,
    ...samplingFields,
    ...endingFields,
    stream: z.boolean().nullish(),
    /** `false`: nothing of it is kept once the client has the answer. `true`: it is listed by `GET` of the same path. */
    store: z.boolean().nullish(),
    /** What it is listed under. */
    metadata: metadataSchema.nullish(),
    stream_options: streamOptions.nullish(),
    /** Choices to make, each with a seed of its own. */
    n: z.int().min(1).max(CHOICES_MAX).nullish(),
    logprobs: z.boolean().nullish(),
    top_logprobs: z.int().min(0).max(20).nullish(),
    ...formatFields,
    ...toolFields,
    ...legacyToolFields,
    ...templateFields,
    ...reasoningFields,
    mesh: meshFields.nullish(),
    ...ensembleFields
  })
  .meta({ id: 'ChatCompletionRequest' })
export type ChatRequest = z.infer<typeof chatRequestSchema>

const topLogprob = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()).nullable() })
const tokenLogprob = topLogprob.extend({ top_logprobs: z.array(topLogprob) })
const logprobs = z.object({ content: z.array(tokenLogprob).nullable(), refusal: z.null() }).nullable()
export type ChatLogprobs = z.infer<typeof logprobs>

const finishReason = z.enum(['stop', 'length', 'tool_calls', 'function_call'])

/** As in vLLM: the stop text that ended the choice, where one did. */
const stopReason = z.string().optional()

/** Ours: who answered, and how fast. */
export const meshReport = z.object({
  placementId: z.string(),
  route: z.array(z.object({ peerId: z.string(), range: z.object({ first: z.int(), end: z.int() }) })),
  ttftMs: z.number(),
  tokensPerSecond: z.number().nullable(),
  /** Where nodes were lost on the way and others went on; `exact`: as if nothing had happened. */
  reroutes: z.object({ count: z.int(), exact: z.boolean() }).optional(),
  /** Tokens that an earlier attempt had made, as where its coordinator ended. They were not made again. */
  resumedTokens: z.int().optional()
})
export type MeshReport = z.infer<typeof meshReport>

const common = {
  id: z.string(),
  created: z.int(),
  model: z.string(),
  system_fingerprint: z.string()
}

export const chatCompletionSchema = z
  .object({
    ...common,
    object: z.literal('chat.completion'),
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({
          role: z.literal('assistant'),
          /** Null where the answer is calls and nothing else. */
          content: z.string().nullable(),
          refusal: z.null(),
          /** As DeepSeek and vLLM call what the model reasoned before its answer. */
          reasoning_content: z.string().optional(),
          tool_calls: z.array(toolCallSchema).optional(),
          /** Where the request has `functions`. */
          function_call: functionCallSchema.optional()
        }),
        finish_reason: finishReason,
        stop_reason: stopReason,
        logprobs,
        /** Where several were asked: who made this choice. */
        model: z.string().optional()
      })
    ),
    usage: tokenUsageSchema,
    mesh: z.union([meshReport, ensembleReportSchema])
  })
  .meta({ id: 'ChatCompletion' })
export type ChatCompletion = z.infer<typeof chatCompletionSchema>

export const chatChunkSchema = z
  .object({
    ...common,
    object: z.literal('chat.completion.chunk'),
    choices: z.array(
      z.object({
        index: z.int(),
        delta: z.object({
          role: z.literal('assistant').optional(),
          content: z.string().nullable().optional(),
          reasoning_content: z.string().optional(),
          tool_calls: z.array(toolCallDeltaSchema).optional(),
          function_call: functionCallDeltaSchema.optional()
        }),
        finish_reason: finishReason.nullable(),
        stop_reason: stopReason,
        logprobs,
        model: z.string().optional()
      })
    ),
    usage: tokenUsageSchema.nullable().optional(),
    mesh: z.union([meshReport, ensembleReportSchema]).optional()
  })
  .meta({ id: 'ChatCompletionChunk' })
export type ChatChunk = z.infer<typeof chatChunkSchema>
