import { MeshError, withParam } from '@resultity/interface'
import type { MessageRequest } from './message-schema.ts'
import { servedIndexes, toChatTools } from './message-tools.ts'
import { toChatTurns } from './message-turns.ts'

/** Fields that mean the same in a chat completion. */
const sharedNames = ['model', 'temperature', 'top_p', 'top_k', 'seed', 'stream', 'store', 'mesh'] as const

/**
 * The body of the chat completion that a message is made of.
 *
 * @throws MeshError `invalid_request` naming the field for what is valid Anthropic and not served here
 */
export function toChatBody(request: MessageRequest): Readonly<Record<string, unknown>> {
  const shared = sharedNames.flatMap(name => {
    const value = request[name]
    return value === undefined || value === null ? [] : [[name, value] as const]
  })
  const stops = request.stop_sequences ?? []
  return {
    ...Object.fromEntries(shared),
    messages: toChatTurns(request),
    max_completion_tokens: request.max_tokens,
    ...(stops.length === 0 ? {} : { stop: stops }),
    ...thinking(request),
    ...responseFormat(request),
    ...toChatTools(request)
  }
}

/** Who does not ask for thoughts gets none: Anthropic's models think only when they are told to. */
function thinking({ thinking, output_config: config }: MessageRequest): Readonly<Record<string, unknown>> {
  if (thinking?.type !== 'enabled' && thinking?.type !== 'adaptive') {
    return { reasoning_effort: 'none', include_reasoning: false }
  }
  return { reasoning_effort: config?.effort ?? 'medium' }
}

function responseFormat(request: MessageRequest): Readonly<Record<string, unknown>> {
  const format = request.output_config?.format ?? request.output_format
  if (format === undefined || format === null) return {}
  return { response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: format.schema } } }
}

/**
 * Fields that Anthropic's servers act upon and that are passed over here, of those that a request has.
 * @param thinks the model can be told whether to think
 */
export function ignoredFields(request: MessageRequest, thinks: boolean): string[] {
  const served = ['context_management', 'mcp_servers', 'container'].filter(name => !isEmpty(request[name]))
  return request.thinking?.type === 'enabled' && !thinks ? ['thinking', ...served] : served
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0)
}

/** An error of the chat completion, in the words of the message: its fields have other names there, and it more tools. */
export function inMessageTerms(error: unknown, request: MessageRequest): MeshError {
  const known = MeshError.from(error)
  const { param } = known.details
  return typeof param === 'string' ? withParam(known, messageParam(param, request)) : known
}

function messageParam(param: string, request: MessageRequest): string {
  const tool = /^tools\[(\d+)\](?:\.function)?(.*)$/.exec(param)
  if (tool !== null) {
    const [, at, rest = ''] = tool
    return `tools[${servedIndexes(request)[Number(at)] ?? at}]${rest.replace(/^\.parameters/, '.input_schema')}`
  }
  // turns are not counted as messages are
  if (param.startsWith('messages')) return 'messages'
  const format = typeof request.output_config?.format === 'object' ? 'output_config.format' : 'output_format'
  return param
    .replace(/^response_format(?:\.json_schema)?/, format)
    .replace(/^max_completion_tokens/, 'max_tokens')
    .replace(/^stop(?=$|\[)/, 'stop_sequences')
    .replace(/^tool_choice\.function/, 'tool_choice')
    .replace(/^parallel_tool_calls/, 'tool_choice.disable_parallel_tool_use')
}
