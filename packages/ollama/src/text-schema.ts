import { chatRequestSchema, meshFields, toolFields } from '@resultity/openai'
import { z } from 'zod'
import { optionsSchema } from './option-fields.ts'

const MESSAGES_MAX = 8192
const CALLS_MAX = 1024
const IMAGES_MAX = 1024
/** More than any context has. */
const CONTEXT_TOKENS_MAX = 1_048_576

const { logprobs, top_logprobs } = chatRequestSchema.shape

/** Taken to be refused by name: no model here sees. */
const images = z.array(z.unknown()).max(IMAGES_MAX).nullish()

/** How long a model is to stay loaded after the request. Here it always does. */
export const keepAlive = z.union([z.string().max(64), z.number()]).nullish()

/** Fields of what generates text. */
const common = {
  /** Ollama's clients may write `:latest` behind it. */
  model: z.string().max(512).optional(),
  /** Default true, unlike elsewhere. */
  stream: z.boolean().nullish(),
  /** `"json"`, or a JSON schema. */
  format: z
    .union([z.literal(['', 'json']), z.record(z.string(), z.unknown())], {
      error: 'format is "json", or a JSON schema'
    })
    .nullish(),
  options: optionsSchema.nullish(),
  keep_alive: keepAlive,
  /** Whether the model is to reason before it answers, or how much. Left out: as its template has it. */
  think: z
    .union([z.boolean(), z.enum(['low', 'medium', 'high'])], { error: 'think is true, false or a level' })
    .nullish(),
  logprobs,
  top_logprobs,
  /** Prompts that do not fit are refused, so nothing is ever cut off. */
  truncate: z.boolean().nullish(),
  shift: z.boolean().nullish(),
  /** Ours, as in a chat completion. */
  store: z.boolean().nullish(),
  mesh: meshFields.nullish()
}

const pastCall = z.looseObject({
  id: z.string().max(256).nullish(),
  function: z.looseObject({ name: z.string().max(256), arguments: z.record(z.string(), z.unknown()).nullish() })
})

const message = z.looseObject({
  role: z.enum(['system', 'user', 'assistant', 'tool']),
  content: z.string().nullish(),
  /** Of an earlier answer: what came before its text. Whether the model is shown it again is its template's matter. */
  thinking: z.string().nullish(),
  images,
  tool_calls: z.array(pastCall).max(CALLS_MAX).nullish(),
  /** Of a tool's message: what was called. */
  tool_name: z.string().max(256).nullish(),
  tool_call_id: z.string().max(256).nullish()
})
export type InputMessage = z.infer<typeof message>

/** Body of `POST /api/chat`. Without messages it asks whether the model is there. */
export const chatBodySchema = z
  .looseObject({ ...common, messages: z.array(message).max(MESSAGES_MAX).nullish(), tools: toolFields.tools })
  .meta({ id: 'OllamaChatRequest' })
export type ChatBody = z.infer<typeof chatBodySchema>

/** Body of `POST /api/generate`. Without a prompt it asks whether the model is there. */
export const generateBodySchema = z
  .looseObject({
    ...common,
    prompt: z.string().nullish(),
    system: z.string().nullish(),
    /** The prompt is what the model reads: no chat template is applied. */
    raw: z.boolean().nullish(),
    suffix: z.string().nullish(),
    template: z.string().nullish(),
    context: z.array(z.int()).max(CONTEXT_TOKENS_MAX).nullish(),
    images
  })
  .meta({ id: 'OllamaGenerateRequest' })
export type GenerateBody = z.infer<typeof generateBodySchema>

const topLogprob = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()).nullable() })
const logprobList = z.array(topLogprob.extend({ top_logprobs: z.array(topLogprob).optional() })).optional()
export type Logprobs = NonNullable<z.infer<typeof logprobList>>

const call = z.object({
  id: z.string(),
  function: z.object({ index: z.int(), name: z.string(), arguments: z.record(z.string(), z.unknown()) })
})
export type Call = z.infer<typeof call>

/** What the model reasoned before it answered. */
const thinking = z.string().optional()

const nanoseconds = z.int()

/** How an answer went: on its last line. */
const measures = {
  done_reason: z.enum(['stop', 'length', 'load']).optional(),
  total_duration: nanoseconds.optional(),
  /** From the request to its place. */
  load_duration: nanoseconds.optional(),
  prompt_eval_count: z.int().optional(),
  prompt_eval_duration: nanoseconds.optional(),
  eval_count: z.int().optional(),
  eval_duration: nanoseconds.optional()
}
const measuresSchema = z.object(measures)
export type Measures = z.infer<typeof measuresSchema>

/** Fields that a line in the midst of an answer does not have. */
export const MEASURES: ReadonlySet<string> = new Set(Object.keys(measures))

const head = { model: z.string(), created_at: z.string(), done: z.boolean() }

/** A whole answer, or a line of one. */
export const chatLineSchema = z
  .object({
    ...head,
    message: z.object({
      role: z.literal('assistant'),
      content: z.string(),
      thinking,
      tool_calls: z.array(call).optional()
    }),
    logprobs: logprobList,
    ...measures
  })
  .meta({ id: 'OllamaChatAnswer' })

/** A whole answer, or a line of one. */
export const generateLineSchema = z
  .object({ ...head, response: z.string(), thinking, logprobs: logprobList, ...measures })
  .meta({ id: 'OllamaGenerateAnswer' })

export const ollamaErrorSchema = z
  .object({
    error: z.string(),
    /** Ours: the same code and field that other routes give. */
    code: z.string().nullable(),
    param: z.string().nullable()
  })
  .meta({ id: 'OllamaError' })
