import { invalidRequest } from '@resultity/interface'
import { present } from './option-fields.ts'
import type { InputMessage } from './text-schema.ts'

/** @throws MeshError `invalid_request` for images, naming their field */
export function toChatTurns(messages: readonly InputMessage[]): Readonly<Record<string, unknown>>[] {
  return messages.map((message, index) => {
    refuseImages(message.images, `messages[${index}].images`)
    const { role, content, tool_calls: calls, tool_name: name, tool_call_id: id } = message
    const text = content ?? ''
    const thoughts = role === 'assistant' ? present({ reasoning_content: message.thinking }) : {}
    if (role === 'tool') return present({ role, content: text, name, tool_call_id: id })
    if (role !== 'assistant' || (calls ?? []).length === 0) return { role, content: text, ...thoughts }
    return { role, content: text, ...thoughts, tool_calls: (calls ?? []).map(toCall) }
  })
}

/** @throws MeshError `invalid_request` */
export function refuseImages(images: readonly unknown[] | null | undefined, field: string): void {
  if ((images ?? []).length === 0) return
  throw invalidRequest(field, `${field} has images, and no model here sees`, 'Send text in place of them.')
}

type PastCall = NonNullable<InputMessage['tool_calls']>[number]

function toCall({ id, function: { name, arguments: values } }: PastCall) {
  return {
    ...(typeof id === 'string' ? { id } : {}),
    type: 'function',
    function: { name, arguments: JSON.stringify(values ?? {}) }
  }
}

/** A conversation that ends with a text of the assistant is gone on with, as Ollama does. */
export function goesOn(messages: readonly InputMessage[]): boolean {
  const last = messages.at(-1)
  return last?.role === 'assistant' && (last.tool_calls ?? []).length === 0 && (last.content ?? '') !== ''
}
