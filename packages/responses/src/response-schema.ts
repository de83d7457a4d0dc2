import { REASONING_EFFORTS } from '@resultity/interface'
import {
  contentPartSchema,
  endingFields,
  guidedFields,
  meshFields,
  metadataSchema,
  reasoningFields,
  samplingFields,
  streamOptions,
  templateFields
} from '@resultity/openai'
import { z } from 'zod'

const ITEMS_MAX = 8192
const PARTS_MAX = 1024
const TOOLS_MAX = 128

const content = z.union([z.string(), z.array(contentPartSchema).max(PARTS_MAX), z.null()], {
  error: 'is a text, a list of parts, or null'
})

/** An item of a conversation, any kind: which fields it must have depends on its `type`. */
const item = z.looseObject({
  /** A message when it is left out. */
  type: z.string().nullish(),
  id: z.string().max(512).nullish(),
  role: z.string().optional(),
  content: content.optional(),
  call_id: z.string().max(512).optional(),
  name: z.string().max(512).optional(),
  arguments: z.string().optional(),
  /** Of `custom_tool_call`. */
  input: z.string().optional(),
  output: content.optional(),
  /** Of `reasoning`. */
  summary: z.array(contentPartSchema).max(PARTS_MAX).nullish()
})
export const responseItemSchema = item
export type ResponseItem = z.infer<typeof item>

const id = z.string().max(128)
const items = z.array(item).max(ITEMS_MAX)

const textFormat = z.looseObject({
  type: z.enum(['text', 'json_object', 'json_schema']),
  name: z.string().max(64).nullish(),
  description: z.string().nullish(),
  schema: z.record(z.string(), z.unknown()).nullish(),
  strict: z.boolean().nullish()
})
export type ResponseTextFormat = z.infer<typeof textFormat>

const tool = z.looseObject({
  type: z.string(),
  name: z.string().max(128).optional(),
  description: z.string().nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish(),
  strict: z.boolean().nullish(),
  /** Of a `custom` tool. */
  format: z.looseObject({ type: z.string() }).nullish()
})
export type ResponseTool = z.infer<typeof tool>

const toolChoice = z.union(
  [
    z.enum(['none', 'auto', 'required']),
    z.looseObject({
      type: z.string(),
      name: z.string().optional(),
      /** Of `allowed_tools`. */
      mode: z.enum(['auto', 'required']).optional(),
      tools: z
        .array(z.looseObject({ type: z.string(), name: z.string().optional() }))
        .max(TOOLS_MAX)
        .optional()
    })
  ],
  {
    error: 'tool_choice is "none", "auto", "required", a function by its name, or allowed_tools'
  }
)

/** Body of `POST /v1/responses`. Unknown fields are ignored. */
export const responseRequestSchema = z
  .looseObject({
    model: z.string().max(512).optional(),
    input: z.union([z.string(), items], { error: 'input is a text, or a list of items' }).optional(),
    instructions: z.string().nullish(),
    previous_response_id: z.string().max(128).nullish(),
    /** The conversation that it belongs to: what was said there comes before the input, and what is said now is added. */
    conversation: z.union([id, z.looseObject({ id })], { error: 'is an id, or an object with one' }).nullish(),
    max_output_tokens: z.int().min(1).nullish(),
    ...samplingFields,
    ...endingFields,
    ...guidedFields,
    ...templateFields,
    top_logprobs: z.int().min(0).max(20).nullish(),
    /** `message.output_text.logprobs`; what else may be asked for is not there. */
    include: z.array(z.string().max(128)).max(64).nullish(),
    text: z
      .looseObject({ format: textFormat.nullish(), verbosity: z.enum(['low', 'medium', 'high']).nullish() })
      .nullish(),
    reasoning: z
      .looseObject({ effort: reasoningFields.reasoning_effort, summary: z.string().max(64).nullish() })
      .nullish(),
    tools: z.array(tool).max(TOOLS_MAX).nullish(),
    tool_choice: toolChoice.nullish(),
    parallel_tool_calls: z.boolean().nullish(),
    metadata: metadataSchema.nullish(),
    stream: z.boolean().nullish(),
    stream_options: streamOptions.nullish(),
    /** Answer at once; the client asks for the response by its id. */
    background: z.boolean().nullish(),
    /** Whether it can be retrieved and gone on from; default true. */
    store: z.boolean().nullish(),
    truncation: z.enum(['auto', 'disabled']).nullish(),
    user: z.string().max(512).nullish(),
    safety_identifier: z.string().max(512).nullish(),
    prompt_cache_key: z.string().max(512).nullish(),
    mesh: meshFields.nullish()
  })
  .meta({ id: 'CreateResponseRequest' })

/** What is stored of a request: complete, so that nothing need be looked up when it is run. */
export const storedResponseSchema = responseRequestSchema.extend({
  /** What was said before it: in its conversation, or up to the response that it goes on from. */
  history: items.optional()
})
export type ResponseRequest = z.infer<typeof storedResponseSchema>

export const responseStatuses = ['queued', 'in_progress', 'completed', 'incomplete', 'failed', 'cancelled'] as const
export type ResponseStatus = (typeof responseStatuses)[number]

const itemStatus = z.enum(['in_progress', 'completed', 'incomplete'])

const topLogprob = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()) })
const logprob = topLogprob.extend({ top_logprobs: z.array(topLogprob) })
export type ResponseLogprob = z.infer<typeof logprob>

const outputText = z.object({
  type: z.literal('output_text'),
  text: z.string(),
  annotations: z.array(z.never()),
  logprobs: z.array(logprob)
})
export type OutputText = z.infer<typeof outputText>

const outputMessage = z.object({
  type: z.literal('message'),
  id: z.string(),
  role: z.literal('assistant'),
  status: itemStatus,
  content: z.array(outputText)
})
export type OutputMessage = z.infer<typeof outputMessage>

const functionCall = z.object({
  type: z.literal('function_call'),
  id: z.string(),
  call_id: z.string(),
  name: z.string(),
  arguments: z.string(),
  status: itemStatus
})
export type FunctionCall = z.infer<typeof functionCall>

const customToolCall = z.object({
  type: z.literal('custom_tool_call'),
  id: z.string(),
  call_id: z.string(),
  name: z.string(),
  input: z.string(),
  status: itemStatus
})
export type CustomToolCall = z.infer<typeof customToolCall>

const reasoningItem = z.object({
  type: z.literal('reasoning'),
  id: z.string(),
  /** None is made. */
  summary: z.array(z.never()),
  content: z.array(z.object({ type: z.literal('reasoning_text'), text: z.string() })),
  status: itemStatus
})
export type ReasoningItem = z.infer<typeof reasoningItem>

export type OutputItem = OutputMessage | FunctionCall | CustomToolCall | ReasoningItem

const responseUsage = z.object({
  input_tokens: z.int(),
  input_tokens_details: z.object({ cached_tokens: z.int(), cache_write_tokens: z.int() }),
  output_tokens: z.int(),
  output_tokens_details: z.object({ reasoning_tokens: z.int() }),
  total_tokens: z.int()
})
export type ResponseUsage = z.infer<typeof responseUsage>

export const responseSchema = z
  .object({
    id: z.string(),
    object: z.literal('response'),
    created_at: z.int(),
    completed_at: z.int().nullable(),
    status: z.enum(responseStatuses),
    background: z.boolean(),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    incomplete_details: z.object({ reason: z.enum(['max_output_tokens', 'content_filter']) }).nullable(),
    instructions: z.string().nullable(),
    max_output_tokens: z.int().nullable(),
    max_tool_calls: z.null(),
    model: z.string(),
    output: z.array(z.union([outputMessage, functionCall, customToolCall, reasoningItem])),
    parallel_tool_calls: z.boolean(),
    previous_response_id: z.string().nullable(),
    conversation: z.object({ id: z.string() }).optional(),
    reasoning: z.object({ effort: z.enum(REASONING_EFFORTS).nullable(), summary: z.null() }),
    store: z.boolean(),
    temperature: z.number(),
    top_p: z.number(),
    presence_penalty: z.number(),
    frequency_penalty: z.number(),
    top_logprobs: z.int(),
    text: z.object({ format: z.looseObject({ type: z.string() }), verbosity: z.string() }),
    tool_choice: z.union([z.string(), z.looseObject({ type: z.string() })]),
    tools: z.array(tool),
    truncation: z.literal('disabled'),
    usage: responseUsage,
    metadata: z.record(z.string(), z.string()),
    service_tier: z.literal('default'),
    safety_identifier: z.string().nullable(),
    prompt_cache_key: z.string().nullable(),
    user: z.string()
  })
  .meta({ id: 'Response' })
export type ResponseObject = z.infer<typeof responseSchema>

/** Every event names its `type`, and counts: `sequence_number` from 0. */
export const responseEventSchema = z
  .looseObject({ type: z.string(), sequence_number: z.int() })
  .meta({ id: 'ResponseStreamEvent' })
export type ResponseEvent = z.infer<typeof responseEventSchema>
