import { checkJsonShape } from '@resultity/api-kit'
import { CUSTOM_ARGUMENT } from '@resultity/dialects'
import { invalidRequest, MeshError } from '@resultity/interface'
import type { ServedDecoder } from '@resultity/placement'
import {
  type ChatMessage,
  type ChatPart,
  type ChatTemplateOptions,
  normaliseTurns,
  type ToolCall
} from '@resultity/tokenizer'
import { nativeDialect } from '../tools/model-dialect.ts'
import { withoutToolTurns } from '../tools/tool-prompt.ts'
import type { PastCall } from '../tools/tool-schema.ts'
import type { ToolUse } from '../tools/tool-use.ts'
import { pictureUrlOf } from './chat-pictures.ts'
import type { ChatRequest } from './chat-schema.ts'
import { type ContentPart, partText } from './text-parts.ts'

type RequestMessage = ChatRequest['messages'][number]

/** What a chat template is given of a conversation. */
interface Conversation {
  readonly turns: readonly ChatMessage[]
  readonly options: ChatTemplateOptions
}

/**
 * The prompt of a conversation as token ids.
 *
 * @throws MeshError `invalid_request` naming the field for what cannot be part of a prompt; `context_length_exceeded`
 */
export async function promptOf(
  messages: readonly RequestMessage[],
  toolUse: ToolUse | undefined,
  model: ServedDecoder,
  own: ChatTemplateOptions = {}
): Promise<number[]> {
  const { turns, options } = conversationOf(messages, toolUse, model, own.pictures !== undefined)
  const prompt = await model.prompts.encodeChat(turns, { ...options, ...own })
  if (prompt.length > 0) return prompt
  throw invalidRequest(
    'messages',
    `the chat template of "${model.id}" writes nothing of these messages`,
    'Use /v1/completions with a prompt of your own, or another model.'
  )
}

/** The same prompt as text. @throws MeshError as {@link promptOf} does */
export async function promptTextOf(
  messages: readonly RequestMessage[],
  toolUse: ToolUse | undefined,
  model: ServedDecoder,
  own: ChatTemplateOptions = {}
): Promise<string> {
  const { turns, options } = conversationOf(messages, toolUse, model)
  return await model.prompts.applyChatTemplate(turns, { ...options, ...own })
}

/**
 * Turns are put as the model's chat template can write them. One that knows tools writes them and calls itself; for others
 * they become ordinary turns.
 */
function conversationOf(
  requestMessages: readonly RequestMessage[],
  toolUse: ToolUse | undefined,
  model: ServedDecoder,
  shows = false
): Conversation {
  const messages = withCalls(requestMessages).map((message, index) => toChatMessage(message, index, shows))
  refuseHopeless(messages, model)
  const tools = toolUse?.tools ?? []
  const { capabilities } = model.tokenizer
  const knowsTools = nativeDialect(model.tokenizer) !== undefined
  const turns = knowsTools ? messages : withoutToolTurns(messages, tools)
  return { turns: normaliseTurns(turns, capabilities), options: knowsTools ? { tools } : {} }
}

/** The calls of older clients, and what their functions answered, in today's words: a call has an id, and its answer the same. */
function withCalls(messages: readonly RequestMessage[]): RequestMessage[] {
  const ids = new Map<string, string>()
  return messages.map((message, index) => {
    const { role, function_call: call, tool_calls: calls, name, tool_call_id: answered } = message
    if (role === 'function' && !answered) return { ...message, tool_call_id: ids.get(name ?? '') }
    if (role !== 'assistant' || !call || (calls ?? []).length > 0) return message
    // some templates refuse an id that is not of nine letters and digits
    const id = `call${String(index).padStart(5, '0')}`
    ids.set(call.name, id)
    return { ...message, tool_calls: [{ id, type: 'function' as const, function: call }] }
  })
}

/** @param shows pictures may come: what is made of them is known */
function toChatMessage(message: RequestMessage, index: number, shows: boolean): ChatMessage {
  const role = message.role === 'function' ? 'tool' : message.role
  const { tool_calls: calls, tool_call_id: toolCallId, name } = message
  const reasoning = message.reasoning_content ?? message.reasoning
  return {
    role,
    ...contentOf(message, index, shows),
    ...(role === 'assistant' && reasoning ? { reasoning } : {}),
    ...(role === 'assistant' && calls
      ? { toolCalls: calls.map((call, at) => toToolCall(call, `messages[${index}].tool_calls[${at}]`)) }
      : {}),
    ...(role === 'tool' && toolCallId ? { toolCallId } : {}),
    ...(role === 'tool' && name ? { name } : {})
  }
}

/**
 * Templates write the arguments as JSON themselves, so they are given values.
 * @throws MeshError `invalid_request` for values of a shape that no call has
 */
function toToolCall(call: PastCall, field: string): ToolCall {
  if (call.type === 'custom') {
    const { name, input } = call.custom
    return { id: call.id, name, arguments: { [CUSTOM_ARGUMENT]: input } }
  }
  const {
    id,
    function: { name, arguments: text }
  } = call
  checkJsonShape(text, `${field}.function.arguments`, `${field}.function.arguments`)
  try {
    const values: unknown = JSON.parse(text)
    return { id, name, arguments: values }
  } catch {
    // what a model once wrote wrong is shown to it as it was
    return { id, name, arguments: text }
  }
}

/** A turn that shows pictures has its parts in their order. */
function contentOf(
  message: RequestMessage,
  index: number,
  shows: boolean
): Pick<ChatMessage, 'content'> & Partial<Pick<ChatMessage, 'parts'>> {
  const { role, content } = message
  const pictured = shows && role === 'user' && Array.isArray(content) && content.some(part => isPicture(part))
  if (!pictured) return { content: contentText(message, index) }
  const parts = content.map((part, at): ChatPart => {
    if (isPicture(part)) return { type: 'image' }
    return { type: 'text', text: partText(part, `messages[${index}].content[${at}]`) }
  })
  return { content: parts.map(part => (part.type === 'text' ? part.text : '')).join(''), parts }
}

function isPicture(part: ContentPart): boolean {
  return pictureUrlOf(part) !== undefined
}

/** An assistant turn may have no content (it called a tool, or refused); any other message must say something. */
function contentText({ role, content, refusal }: RequestMessage, index: number): string {
  if (typeof content === 'string') return content
  const field = `messages[${index}].content`
  if (content === null || content === undefined) {
    if (role === 'assistant') return refusal ?? ''
    throw invalidRequest(field, `${field} is missing in a ${role} message`)
  }
  return content.map((part, partIndex) => partText(part, `${field}[${partIndex}]`)).join('')
}

/** What cannot fit is refused before anybody spends time on making tokens of it. */
function refuseHopeless(
  messages: readonly ChatMessage[],
  { placeable: { contextLength }, tokenizer: { charactersMax } }: ServedDecoder
): void {
  const characters = messages.reduce((sum, { content, reasoning = '' }) => sum + content.length + reasoning.length, 0)
  if (characters <= charactersMax) return
  throw new MeshError(
    'context_length_exceeded',
    `the messages have ${characters} characters; the context is ${contextLength} tokens, and prompts of more than ` +
      `${charactersMax} characters are refused uncounted`,
    { hint: 'Shorten the messages.', details: { param: 'messages', contextLength } }
  )
}
