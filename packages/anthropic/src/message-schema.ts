import { REASONING_EFFORTS } from '@resultity/interface'
import { meshFields, seedSchema } from '@resultity/openai'
import { z } from 'zod'

const MESSAGES_MAX = 8192
const BLOCKS_MAX = 1024
const TOOLS_MAX = 128
const ELSEWHERE = 'several models are asked by /v1/chat/completions and /v1/completions only'
const STOPS_MAX = 16
const STOP_CHARACTERS_MAX = 512

/** How much to think, where the model is asked to: Anthropic has no words for less. */
const effort = z.enum(REASONING_EFFORTS).exclude(['none', 'minimal'])

const resultBlock = z.looseObject({ type: z.string(), text: z.string().optional() })
export type ResultBlock = z.infer<typeof resultBlock>

/** What a tool answered. */
const resultContent = z.union([z.string(), z.array(resultBlock).max(BLOCKS_MAX), z.null()], {
  error: 'is a text, or a list of blocks'
})

/** A block of any kind: which fields it must have depends on its `type`. */
const block = z.looseObject({
  type: z.string(),
  /** Of `text`. */
  text: z.string().optional(),
  /** Of `thinking`. */
  thinking: z.string().optional(),
  /** Of `tool_use`. */
  id: z.string().max(256).optional(),
  name: z.string().max(256).optional(),
  input: z.record(z.string(), z.unknown()).optional(),
  /** Of `tool_result`. */
  tool_use_id: z.string().max(256).optional(),
  content: resultContent.optional(),
  is_error: z.boolean().nullish()
})
export type Block = z.infer<typeof block>

const content = z.union([z.string(), z.array(block).max(BLOCKS_MAX)], { error: 'is a text, or a list of blocks' })

const message = z.looseObject({ role: z.enum(['user', 'assistant', 'system']), content })
export type InputMessage = z.infer<typeof message>

const tool = z.looseObject({
  /** A function of the client's when it is left out, or `custom`. */
  type: z.string().max(128).nullish(),
  name: z.string().max(256).optional(),
  description: z.string().nullish(),
  input_schema: z.record(z.string(), z.unknown()).optional()
})
export type Tool = z.infer<typeof tool>

const toolChoice = z.looseObject({
  type: z.enum(['auto', 'any', 'tool', 'none']),
  /** Of `tool`. */
  name: z.string().max(256).optional(),
  disable_parallel_tool_use: z.boolean().nullish()
})

const outputFormat = z.looseObject({
  type: z.literal('json_schema', 'the only format is "json_schema"'),
  schema: z.record(z.string(), z.unknown())
})
export type OutputFormat = z.infer<typeof outputFormat>

const fields = {
  model: z.string().max(512).optional(),
  messages: z.array(message).min(1).max(MESSAGES_MAX),
  system: z.union([z.string(), z.array(resultBlock).max(BLOCKS_MAX), z.null()], {
    error: 'system is a text, or a list of text blocks'
  }),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  /** So many of the likeliest tokens; 0 for all. */
  top_k: z.int().min(0).max(0x7fff_ffff).nullish(),
  stop_sequences: z.array(z.string().min(1).max(STOP_CHARACTERS_MAX)).max(STOPS_MAX).nullish(),
  stream: z.boolean().nullish(),
  tools: z.array(tool).max(TOOLS_MAX).nullish(),
  tool_choice: toolChoice.nullish(),
  thinking: z.looseObject({ type: z.enum(['enabled', 'disabled', 'adaptive']) }).nullish(),
  output_config: z.looseObject({ format: outputFormat.nullish(), effort: effort.nullish() }).nullish(),
  /** An earlier name of `output_config.format`. */
  output_format: outputFormat.nullish(),
  metadata: z.looseObject({ user_id: z.string().max(4096).nullish() }).nullish(),
  service_tier: z.enum(['auto', 'standard_only']).nullish(),
  /** Ours, as in a chat completion. */
  seed: seedSchema.nullish(),
  store: z.boolean().nullish(),
  mesh: meshFields.nullish(),
  models: z.null(ELSEWHERE).optional(),
  strategy: z.null(ELSEWHERE).optional()
}

/** Body of `POST /v1/messages`. Unknown fields are ignored. */
export const messageRequestSchema = z
  .looseObject({ ...fields, system: fields.system.optional(), max_tokens: z.int().min(1) })
  .meta({ id: 'CreateMessageRequest' })
export type MessageRequest = z.infer<typeof messageRequestSchema>

/** Body of `POST /v1/messages/count_tokens`: the same, and no answer to limit. */
export const countTokensSchema = z
  .looseObject({ ...fields, system: fields.system.optional(), max_tokens: z.int().min(1).nullish() })
  .meta({ id: 'CountMessageTokensRequest' })

/** What is stored of a request. */
export const storedMessageSchema = messageRequestSchema.extend({
  /** Tokens of its prompt: a stream begins with them. */
  input_tokens: z.int()
})
export type StoredMessage = z.infer<typeof storedMessageSchema>

const contentBlock = z.union([
  z.object({ type: z.literal('text'), text: z.string(), citations: z.null() }),
  /** The signature is empty: nobody here asks for it again. */
  z.object({ type: z.literal('thinking'), thinking: z.string(), signature: z.literal('') }),
  z.object({ type: z.literal('tool_use'), id: z.string(), name: z.string(), input: z.record(z.string(), z.unknown()) })
])
export type ContentBlock = z.infer<typeof contentBlock>

const stopReason = z.enum(['end_turn', 'max_tokens', 'stop_sequence', 'tool_use', 'refusal'])
export type StopReason = z.infer<typeof stopReason>

const usage = z.object({
  input_tokens: z.int(),
  output_tokens: z.int(),
  cache_creation_input_tokens: z.int(),
  cache_read_input_tokens: z.int()
})
export type MessageUsage = z.infer<typeof usage>

/** How an answer ended. */
const ending = {
  stop_reason: stopReason.nullable(),
  /** The one that ended it, where one did. */
  stop_sequence: z.string().nullable(),
  stop_details: z.null(),
  container: z.null()
}

export const messageSchema = z
  .object({
    id: z.string(),
    type: z.literal('message'),
    role: z.literal('assistant'),
    model: z.string(),
    content: z.array(contentBlock),
    ...ending,
    usage: usage.extend({ service_tier: z.literal('standard') })
  })
  .meta({ id: 'Message' })
export type Message = z.infer<typeof messageSchema>

const index = z.int()
const delta = z.union([
  z.object({ type: z.literal('text_delta'), text: z.string() }),
  z.object({ type: z.literal('thinking_delta'), thinking: z.string() }),
  z.object({ type: z.literal('input_json_delta'), partial_json: z.string() })
])

export const messageErrorSchema = z
  .object({
    type: z.literal('error'),
    error: z.object({
      type: z.string(),
      message: z.string(),
      /** Our own code, and the field that is wrong. */
      details: z.object({ error_code: z.string().nullable(), param: z.string().nullable() })
    }),
    request_id: z.string()
  })
  .meta({ id: 'MessageError' })

/** Events are named after their `type`. */
export const messageEventSchema = z
  .union([
    z.object({ type: z.literal('message_start'), message: messageSchema }),
    z.object({ type: z.literal('ping') }),
    z.object({ type: z.literal('content_block_start'), index, content_block: contentBlock }),
    z.object({ type: z.literal('content_block_delta'), index, delta }),
    z.object({ type: z.literal('content_block_stop'), index }),
    z.object({ type: z.literal('message_delta'), delta: z.object(ending), usage }),
    z.object({ type: z.literal('message_stop') }),
    messageErrorSchema
  ])
  .meta({ id: 'MessageStreamEvent' })
export type MessageEvent = z.infer<typeof messageEventSchema>
