import { invalidRequest } from '@resultity/interface'
import { type ChatRequest, partText, refuseAddress, spokenText } from '@resultity/openai'
import type { ResponseItem } from './response-schema.ts'

type ChatMessage = ChatRequest['messages'][number]

const PICTURE = 'input_image'
const roles = ['user', 'assistant', 'system', 'developer'] as const
type Role = (typeof roles)[number]

/**
 * The messages that stand for a list of items. Function calls belong to the assistant's turn before them.
 *
 * @throws MeshError `invalid_request` naming the part of `field` that is wrong or not served
 */
export function toChatMessages(items: readonly ResponseItem[], field: string): ChatMessage[] {
  const messages: ChatMessage[] = []
  for (const [index, item] of items.entries()) addItem(messages, item, `${field}[${index}]`)
  // reasoning that led to nothing is no turn
  return messages.filter(message => !isThought(message))
}

/** @throws MeshError `invalid_request` naming the part of `field` that is wrong or not served */
export function requireServed(items: readonly ResponseItem[], field: string): void {
  toChatMessages(items, field)
}

function addItem(messages: ChatMessage[], item: ResponseItem, field: string): void {
  switch (item.type ?? 'message') {
    case 'message':
      addMessage(messages, { role: roleOf(item, field), content: contentOf(item, `${field}.content`) })
      return
    case 'function_call':
    case 'custom_tool_call':
      addCall(messages, item, field)
      return
    case 'function_call_output':
    case 'custom_tool_call_output': {
      const content = textOf(item.output, `${field}.output`)
      messages.push({ role: 'tool', tool_call_id: required(item, 'call_id', field), content })
      return
    }
    case 'reasoning': {
      const reasoning = thoughtsOf(item)
      // some servers encrypt it for themselves
      if (reasoning !== '') messages.push({ role: 'assistant', content: null, reasoning_content: reasoning })
      return
    }
    case 'item_reference':
      throw invalidRequest(`${field}.id`, `${field} refers to an item that is not stored here`, 'Send the item itself.')
    default:
      throw invalidRequest(`${field}.type`, `"${item.type}" items are not served`, 'Send messages and function calls.')
  }
}

/** Reasoning belongs to what the assistant says or calls behind it. */
function addMessage(messages: ChatMessage[], message: ChatMessage): void {
  const last = messages.at(-1)
  if (message.role !== 'assistant' || last === undefined || !isThought(last)) messages.push(message)
  else messages[messages.length - 1] = { ...last, ...message }
}

function isThought({ role, content, tool_calls: calls, reasoning_content: reasoning }: ChatMessage): boolean {
  return role === 'assistant' && content === null && calls === undefined && typeof reasoning === 'string'
}

/** What was reasoned, as it came, or else its summary. */
function thoughtsOf({ content, summary }: ResponseItem): string {
  if (typeof content === 'string') return content
  const parts = content !== null && content !== undefined && content.length > 0 ? content : (summary ?? [])
  return parts.map(part => spokenText(part) ?? '').join('\n')
}

function addCall(messages: ChatMessage[], item: ResponseItem, field: string): void {
  const id = required(item, 'call_id', field)
  const name = required(item, 'name', field)
  const call =
    item.type === 'custom_tool_call'
      ? { id, type: 'custom' as const, custom: { name, input: required(item, 'input', field) } }
      : { id, type: 'function' as const, function: { name, arguments: required(item, 'arguments', field) } }
  const last = messages.at(-1)
  if (last?.role !== 'assistant') {
    messages.push({ role: 'assistant', content: null, tool_calls: [call] })
    return
  }
  const before = Array.isArray(last.tool_calls) ? last.tool_calls : []
  messages[messages.length - 1] = { ...last, tool_calls: [...before, call] }
}

function roleOf({ role }: ResponseItem, field: string): Role {
  const known = roles.find(one => one === role)
  if (known !== undefined) return known
  throw invalidRequest(`${field}.role`, `${field}.role is ${JSON.stringify(role)}`, `Use one of ${roles.join(', ')}.`)
}

function required(item: ResponseItem, key: 'call_id' | 'name' | 'arguments' | 'input', field: string): string {
  const value = item[key]
  if (value !== undefined) return value
  throw invalidRequest(`${field}.${key}`, `${field} has no ${key}, which a ${item.type} must have`)
}

/** The text of a message, or the parts of one of the user that shows pictures. */
function contentOf(item: ResponseItem, field: string): ChatMessage['content'] {
  const { content } = item
  const shows = item.role === 'user' && Array.isArray(content) && content.some(({ type }) => type === PICTURE)
  if (!shows) return textOf(content, field)
  return content.map((part, index) => {
    const place = `${field}[${index}]`
    if (part.type !== PICTURE) return { type: 'text', text: partText(part, place) }
    if (part.image_url !== undefined) {
      const url = typeof part.image_url === 'string' ? part.image_url : part.image_url.url
      refuseAddress({ url, param: `${place}.image_url` })
      return { type: 'image_url', image_url: url }
    }
    const hint = 'Send the picture itself as image_url, a data URL in base64.'
    throw invalidRequest(`${place}.image_url`, `${place} has no image_url, and pictures of files are not served`, hint)
  })
}

function textOf(content: ResponseItem['content'], field: string): string {
  if (typeof content === 'string') return content
  if (content === null || content === undefined) throw invalidRequest(field, `${field} is missing`)
  return content.map((part, index) => partText(part, `${field}[${index}]`)).join('')
}
