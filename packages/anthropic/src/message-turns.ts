import { invalidRequest } from '@resultity/interface'
import type { Block, InputMessage, MessageRequest, ResultBlock } from './message-schema.ts'

/** A message of a chat completion's request. */
export type ChatTurn = Readonly<Record<string, unknown>> & { readonly role: string }

/** Blocks are apart from each other; a chat template knows one text. */
const BETWEEN_BLOCKS = '\n'

/** Thoughts of an earlier turn that nobody but their maker can read. */
const HIDDEN_THOUGHTS = 'redacted_thinking'

/**
 * The turns of a chat completion that a conversation of blocks means: what a tool answered is a turn of its own there.
 *
 * @throws MeshError `invalid_request` naming the part that is wrong or not served
 */
export function toChatTurns({ system, messages }: Pick<MessageRequest, 'system' | 'messages'>): ChatTurn[] {
  const turns: ChatTurn[] = []
  if (system !== undefined && system !== null) turns.push({ role: 'system', content: textOf(system, 'system') })
  const names = new Map<string, string>()
  for (const [index, message] of messages.entries()) turns.push(...turnsOf(message, `messages[${index}]`, names))
  if (messages.at(-1)?.role === 'assistant') {
    const field = `messages[${messages.length - 1}]`
    throw invalidRequest(field, `${field} begins the answer, which is not served`, 'End with a message of the user.')
  }
  return turns
}

/** @param names of the functions called so far, by the ids of the calls */
function turnsOf({ role, content }: InputMessage, field: string, names: Map<string, string>): ChatTurn[] {
  const at = `${field}.content`
  if (typeof content === 'string') return [{ role, content }]
  if (role === 'assistant') return [assistantTurn(content, at, names)]
  if (role === 'system') return [{ role, content: textOf(content, at) }]
  return userTurns(content, at, names)
}

function assistantTurn(blocks: readonly Block[], field: string, names: Map<string, string>): ChatTurn {
  const texts: string[] = []
  const calls: unknown[] = []
  const thoughts: string[] = []
  for (const [index, block] of blocks.entries()) {
    const at = `${field}[${index}]`
    if (block.type === HIDDEN_THOUGHTS) continue
    if (block.type === 'thinking') {
      thoughts.push(block.thinking ?? '')
      continue
    }
    if (block.type !== 'tool_use') {
      texts.push(blockText(block, at))
      continue
    }
    const id = required(block, 'id', at)
    const name = required(block, 'name', at)
    names.set(id, name)
    calls.push({ id, type: 'function', function: { name, arguments: JSON.stringify(block.input ?? {}) } })
  }
  const content = texts.join(BETWEEN_BLOCKS)
  return {
    role: 'assistant',
    content,
    ...(thoughts.length === 0 ? {} : { reasoning_content: thoughts.join(BETWEEN_BLOCKS) }),
    ...(calls.length === 0 ? {} : { tool_calls: calls })
  }
}

/** Texts beside what tools answered are a turn of the user, before or after it as they came. */
function userTurns(blocks: readonly Block[], field: string, names: ReadonlyMap<string, string>): ChatTurn[] {
  const turns: ChatTurn[] = []
  let texts: string[] = []
  const endText = (): void => {
    if (texts.length > 0) turns.push({ role: 'user', content: texts.join(BETWEEN_BLOCKS) })
    texts = []
  }
  for (const [index, block] of blocks.entries()) {
    const at = `${field}[${index}]`
    if (block.type === 'tool_result') {
      endText()
      turns.push(toolTurn(block, at, names))
    } else {
      texts.push(blockText(block, at))
    }
  }
  endText()
  if (turns.length === 0) throw invalidRequest(field, `${field} is empty`, 'Send a text, or blocks.')
  return turns
}

function toolTurn(block: Block, field: string, names: ReadonlyMap<string, string>): ChatTurn {
  const id = required(block, 'tool_use_id', field)
  const said = textOf(block.content ?? '', `${field}.content`)
  const name = names.get(id)
  return {
    role: 'tool',
    tool_call_id: id,
    // chat templates have no other way to say that a call failed
    content: block.is_error === true ? `Error: ${said}` : said,
    ...(name === undefined ? {} : { name })
  }
}

function textOf(content: string | readonly ResultBlock[], field: string): string {
  if (typeof content === 'string') return content
  return content.map((block, index) => blockText(block, `${field}[${index}]`)).join(BETWEEN_BLOCKS)
}

function blockText({ type, text }: ResultBlock, field: string): string {
  if (type !== 'text') {
    throw invalidRequest(`${field}.type`, `"${type}" blocks are not served here`, 'Send text in place of it.')
  }
  if (text !== undefined) return text
  throw invalidRequest(`${field}.text`, `${field} has no text`)
}

function required(block: Block, key: 'id' | 'name' | 'tool_use_id', field: string): string {
  const value = block[key]
  if (value !== undefined) return value
  throw invalidRequest(`${field}.${key}`, `${field} has no ${key}, which a ${block.type} must have`)
}
