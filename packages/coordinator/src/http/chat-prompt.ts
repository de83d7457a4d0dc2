import { MeshError } from '@resultity/interface'
import type { ChatMessage, ToolCall } from '@resultity/model'
import type { ServedDecoder } from '../served-models.ts'
import { withoutToolTurns } from '../tools/tool-prompt.ts'
import type { PastCall } from '../tools/tool-schema.ts'
import type { ToolUse } from '../tools/tool-use.ts'
import type { ChatRequest } from './chat-schema.ts'
import { invalidRequest } from './parse-body.ts'

type RequestMessage = ChatRequest['messages'][number]

/**
 * Longest text a token stands for, generously: more characters than this for every position of the context cannot be
 * a prompt that fits, and are refused before the event loop spends time on making tokens of them.
 */
const CHARACTERS_PER_POSITION_MAX = 32

/**
 * The prompt of a conversation as token ids. A chat template that knows tools writes them and calls itself; for others they
 * become ordinary turns.
 *
 * @throws MeshError `invalid_request` naming the field for what cannot be part of a prompt; `context_length_exceeded`
 */
export function promptOf(
  requestMessages: readonly RequestMessage[],
  toolUse: ToolUse | undefined,
  { placeable, tokenizer }: ServedDecoder
): number[] {
  const messages = requestMessages.map((message, index) => toChatMessage(message, index))
  refuseHopeless(messages, toolUse, placeable.contextLength)
  const tools = toolUse?.tools ?? []
  if (tokenizer.writesTools) return tokenizer.encodeChat(messages, { tools })
  return tokenizer.encodeChat(withoutToolTurns(messages, tools))
}

function toChatMessage(message: RequestMessage, index: number): ChatMessage {
  const role = message.role === 'function' ? 'tool' : message.role
  const { tool_calls: calls, tool_call_id: toolCallId, name } = message
  return {
    role,
    content: contentText(message, index),
    ...(role === 'assistant' && calls ? { toolCalls: calls.map(toToolCall) } : {}),
    ...(role === 'tool' && toolCallId ? { toolCallId } : {}),
    ...(role === 'tool' && name ? { name } : {})
  }
}

/** Templates write the arguments as JSON themselves, so they are given values. */
function toToolCall({ id, function: { name, arguments: text } }: PastCall): ToolCall {
  try {
    const values: unknown = JSON.parse(text)
    return { id, name, arguments: values }
  } catch {
    // what a model once wrote wrong is shown to it as it was
    return { id, name, arguments: text }
  }
}

/** An assistant turn may have no content (it called a tool); any other message must say something. */
function contentText({ role, content }: RequestMessage, index: number): string {
  if (typeof content === 'string') return content
  const field = `messages[${index}].content`
  if (content === null || content === undefined) {
    if (role === 'assistant') return ''
    throw invalidRequest(field, `${field} is missing in a ${role} message`)
  }
  const texts = content.map((part, partIndex) => {
    const partField = `${field}[${partIndex}]`
    if (part.type !== 'text') {
      throw invalidRequest(`${partField}.type`, `"${part.type}" parts are not served`, 'Send text parts only.')
    }
    if (part.text === undefined) throw invalidRequest(`${partField}.text`, `${partField} has no text`)
    return part.text
  })
  return texts.join('')
}

function refuseHopeless(messages: readonly ChatMessage[], toolUse: ToolUse | undefined, contextLength: number): void {
  const tools = toolUse === undefined ? 0 : JSON.stringify(toolUse.tools).length
  const characters = messages.reduce((sum, message) => sum + message.content.length, tools)
  const charactersMax = contextLength * CHARACTERS_PER_POSITION_MAX
  if (characters <= charactersMax) return
  throw new MeshError(
    'context_length_exceeded',
    `the messages have ${characters} characters; the context is ${contextLength} tokens, and prompts of more than ` +
      `${charactersMax} characters are refused uncounted`,
    { hint: 'Shorten the messages.', details: { param: 'messages', contextLength } }
  )
}
