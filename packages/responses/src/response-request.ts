import { invalidRequest, MeshError, withParam } from '@resultity/interface'
import { endingFields, guidedFields, samplingFields, templateFields } from '@resultity/openai'
import { toChatMessages } from './response-input.ts'
import type { ResponseItem, ResponseRequest, ResponseTextFormat, ResponseTool } from './response-schema.ts'

/** What `include` may ask for, of what there is. */
const LOGPROBS = 'message.output_text.logprobs'

/** Fields that mean the same in a chat completion. */
const sharedFields = { ...samplingFields, ...endingFields, ...guidedFields, ...templateFields }
const sharedNames = Object.keys(sharedFields) as readonly (keyof typeof sharedFields)[]

/** The items that the client sent itself. */
export function inputItems({ input }: ResponseRequest): readonly ResponseItem[] {
  if (input === undefined) return []
  return typeof input === 'string' ? [{ type: 'message', role: 'user', content: input }] : input
}

/**
 * The body of the chat completion that a response is made of.
 *
 * @throws MeshError `invalid_request` naming the field for what is valid OpenAI and not served here
 */
export function toChatBody(request: ResponseRequest): Readonly<Record<string, unknown>> {
  refuseUnsupported(request)
  const shared = Object.fromEntries(sharedNames.map(name => [name, request[name]]))
  const { model, max_output_tokens: limit, parallel_tool_calls, stream, mesh, user } = request
  return {
    ...present({
      ...shared,
      model,
      parallel_tool_calls,
      stream,
      mesh,
      user,
      reasoning_effort: request.reasoning?.effort,
      max_completion_tokens: limit
    }),
    messages: [
      ...(typeof request.instructions === 'string' ? [{ role: 'developer', content: request.instructions }] : []),
      ...toChatMessages(request.history ?? [], 'history'),
      ...toChatMessages(inputItems(request), 'input')
    ],
    ...(wantsLogprobs(request) ? { logprobs: true, top_logprobs: request.top_logprobs ?? 0 } : {}),
    ...responseFormat(request.text?.format),
    ...tools(request)
  }
}

/** Clients name the probabilities that they want, or how many alternatives. */
export function wantsLogprobs({ include, top_logprobs }: ResponseRequest): boolean {
  return include?.includes(LOGPROBS) === true || (top_logprobs ?? 0) > 0
}

function refuseUnsupported(request: ResponseRequest): void {
  for (const field of ['previous_response_id', 'conversation'] as const) {
    if ((request[field] ?? null) === null || request.history !== undefined) continue
    throw invalidRequest(field, `${field} cannot be used here`, 'Send the whole conversation.')
  }
  if (request.background === true && request.store === false) {
    throw invalidRequest('background', 'background needs store: the response is asked for later', 'Leave store out.')
  }
  if (inputItems(request).length === 0 && (request.history ?? []).length === 0) {
    throw invalidRequest('input', 'there is no input', 'Send a text, or a list of items.')
  }
}

function responseFormat(format: ResponseTextFormat | null | undefined): Readonly<Record<string, unknown>> {
  if (format === undefined || format === null || format.type === 'text') return {}
  if (format.type === 'json_object') {
    return { response_format: present({ type: 'json_object', schema: format.schema }) }
  }
  const { name, schema, description, strict } = format
  if (schema === undefined || schema === null) {
    throw invalidRequest('text.format.schema', 'text.format is "json_schema" and has no schema')
  }
  const described = present({ name: name ?? 'response', description, strict, schema })
  return { response_format: { type: 'json_schema', json_schema: described } }
}

function tools({ tools: list, tool_choice: choice }: ResponseRequest): Readonly<Record<string, unknown>> {
  if (list === undefined || list === null || list.length === 0) return {}
  const served = [...list.entries()].filter(([, { type }]) => !isServerTool(type))
  return {
    ...(served.length === 0 ? {} : { tools: served.map(([index, tool]) => toChatTool(tool, index)) }),
    ...present({ tool_choice: toChatChoice(choice) })
  }
}

/** Tools that OpenAI's own servers run. Nothing here does, and clients offer them without being asked. */
const SERVER_TOOL =
  /^(?:web_search(?:_preview)?(?:_\d{4}_\d{2}_\d{2})?|file_search|code_interpreter|image_generation|mcp)$/

function isServerTool(type: string): boolean {
  return SERVER_TOOL.test(type)
}

/** Types of the tools that the model is not told of, each once. */
export function ignoredTools({ tools: list }: ResponseRequest): string[] {
  return [...new Set((list ?? []).map(({ type }) => type).filter(isServerTool))]
}

/** Tools that the model is told of. */
export function servedTools({ tools: list }: ResponseRequest): ResponseTool[] {
  return (list ?? []).filter(({ type }) => !isServerTool(type))
}

function toChatTool(tool: ResponseTool, index: number): unknown {
  if (tool.type !== 'function' && tool.type !== 'custom') {
    const hint = 'Offer function tools and custom tools only.'
    throw invalidRequest(`tools[${index}].type`, `"${tool.type}" tools are not served`, hint)
  }
  if (tool.name === undefined) throw invalidRequest(`tools[${index}].name`, `tools[${index}] has no name`)
  const { name, description, parameters, strict } = tool
  if (tool.type === 'custom') {
    return { type: 'custom', custom: present({ name, description, format: toChatInput(tool.format) }) }
  }
  return { type: 'function', function: present({ name, description, parameters, strict }) }
}

function toChatInput(format: ResponseTool['format']): unknown {
  if (format === null || format === undefined || format.type !== 'grammar') return format
  const { type, ...grammar } = format
  return { type, grammar }
}

function toChatChoice(choice: ResponseRequest['tool_choice']): unknown {
  if (choice === null || choice === undefined || typeof choice === 'string') return choice
  const named = toChatNamed(choice)
  if (named !== undefined) return named
  if (choice.type === 'allowed_tools') return toAllowed(choice)
  throw invalidRequest('tool_choice', `tool_choice "${choice.type}" is not served`, 'Name a function, or use "auto".')
}

function toChatNamed({ type, name }: { readonly type: string; readonly name?: string | undefined }): unknown {
  if (name === undefined || (type !== 'function' && type !== 'custom')) return undefined
  return { type, [type]: { name } }
}

/** Tools that are not served may be allowed as they may be offered: there is nothing to call. */
function toAllowed({ mode, tools: list = [] }: Extract<ResponseRequest['tool_choice'], object>): unknown {
  const served = [...list.entries()].filter(([, { type }]) => !isServerTool(type))
  const allowed = served.map(([index, one]) => {
    const named = toChatNamed(one)
    if (named !== undefined) return named
    throw invalidRequest(`tool_choice.tools[${index}]`, `tool_choice.tools[${index}] names no function`)
  })
  if (allowed.length === 0) throw invalidRequest('tool_choice.tools', 'tool_choice allows no tool that is served')
  return { type: 'allowed_tools', allowed_tools: { mode: mode ?? 'auto', tools: allowed } }
}

/** Without what the client left out. */
function present(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))
}

const fieldNames: readonly (readonly [chat: RegExp, response: string])[] = [
  [/^messages.*/, 'input'],
  [/^response_format\.json_schema/, 'text.format'],
  [/^response_format/, 'text.format'],
  [/^max_completion_tokens/, 'max_output_tokens'],
  [/^tool_choice\.allowed_tools\.tools(\[\d+\])\.(?:function|custom)/, 'tool_choice.tools$1'],
  [/^(tools\[\d+\])\.custom\.format\.grammar/, '$1.format'],
  [/^reasoning_effort/, 'reasoning.effort'],
  [/^(tools\[\d+\])(?:\.(?:function|custom))?/, '$1']
]

/** An error of the chat completion, in the words of the response: its fields have other names there, and it more tools. */
export function inResponseTerms(error: unknown, { tools: list }: Pick<ResponseRequest, 'tools'> = {}): MeshError {
  const known = MeshError.from(error)
  const { param } = known.details
  const [pattern, name] = fieldNames.find(([chat]) => typeof param === 'string' && chat.test(param)) ?? []
  if (typeof param !== 'string' || pattern === undefined || name === undefined) return known
  const served = [...(list ?? []).entries()].flatMap(([index, { type }]) => (isServerTool(type) ? [] : [index]))
  const renamed = param.replace(pattern, name)
  return withParam(
    known,
    renamed.replace(/^tools\[(\d+)\]/, (_, at) => `tools[${served[Number(at)] ?? at}]`)
  )
}
