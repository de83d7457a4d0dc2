import type { ChatPiece } from '@resultity/openai'
import type { ContentBlock, MessageEvent } from './message-schema.ts'

type ToolDelta = NonNullable<ChatPiece['delta']['tool_calls']>[number]

type OpenBlock =
  | { readonly type: 'text'; text: string }
  | { readonly type: 'thinking'; text: string }
  | { readonly type: 'tool_use'; readonly call: number; readonly id: string; readonly name: string; json: string }

/**
 * Makes content blocks of the pieces of a chat completion's choice, and says with events how they grow. The same pieces
 * make the same blocks and events, and so do the same texts in other pieces, but for the deltas.
 */
export class MessageContent {
  readonly #done: ContentBlock[] = []
  #open: OpenBlock | undefined

  /** What is complete so far: all of it after the piece that has a finish reason. */
  get blocks(): readonly ContentBlock[] {
    return this.#done
  }

  take({ delta, finish_reason: reason }: ChatPiece): MessageEvent[] {
    const events: MessageEvent[] = []
    const { content, reasoning_content: thoughts, tool_calls: calls } = delta
    if (typeof thoughts === 'string' && thoughts !== '') events.push(...this.#thinking(thoughts))
    if (typeof content === 'string' && content !== '') events.push(...this.#text(content))
    for (const call of calls ?? []) events.push(...this.#call(call))
    if (reason !== null && reason !== undefined) events.push(...this.#close())
    return events
  }

  #text(text: string): MessageEvent[] {
    const events: MessageEvent[] = []
    if (this.#open?.type !== 'text') {
      events.push(...this.#close())
      this.#open = { type: 'text', text: '' }
      events.push(this.#start({ type: 'text', text: '', citations: null }))
    }
    this.#open.text += text
    return [...events, { type: 'content_block_delta', index: this.#done.length, delta: { type: 'text_delta', text } }]
  }

  #thinking(thinking: string): MessageEvent[] {
    const events: MessageEvent[] = []
    if (this.#open?.type !== 'thinking') {
      events.push(...this.#close())
      this.#open = { type: 'thinking', text: '' }
      events.push(this.#start({ type: 'thinking', thinking: '', signature: '' }))
    }
    this.#open.text += thinking
    const delta = { type: 'thinking_delta' as const, thinking }
    return [...events, { type: 'content_block_delta', index: this.#done.length, delta }]
  }

  #call({ index, id, function: fn }: ToolDelta): MessageEvent[] {
    const events: MessageEvent[] = []
    if (this.#open?.type !== 'tool_use' || this.#open.call !== index) {
      events.push(...this.#close())
      const head = { id: toolUseId(id ?? `call_${index}`), name: fn?.name ?? '' }
      this.#open = { type: 'tool_use', call: index, ...head, json: '' }
      events.push(this.#start({ type: 'tool_use', ...head, input: {} }))
    }
    const json = fn?.arguments ?? ''
    if (json === '') return events
    this.#open.json += json
    const delta = { type: 'input_json_delta' as const, partial_json: json }
    return [...events, { type: 'content_block_delta', index: this.#done.length, delta }]
  }

  #start(block: ContentBlock): MessageEvent {
    return { type: 'content_block_start', index: this.#done.length, content_block: block }
  }

  #close(): MessageEvent[] {
    const open = this.#open
    if (open === undefined) return []
    this.#open = undefined
    const index = this.#done.length
    if (open.type === 'thinking') this.#done.push({ type: 'thinking', thinking: open.text, signature: '' })
    else if (open.type === 'text') this.#done.push({ type: 'text', text: open.text, citations: null })
    else this.#done.push({ type: 'tool_use', id: open.id, name: open.name, input: inputOf(open.json) })
    return [{ type: 'content_block_stop', index }]
  }
}

/** The pieces that finished blocks stand for, for a log that was not kept. */
export function piecesOf(blocks: readonly ContentBlock[]): ChatPiece[] {
  const pieces = blocks.map((block, index): ChatPiece => {
    if (block.type === 'text') return { delta: { content: block.text } }
    if (block.type === 'thinking') return { delta: { reasoning_content: block.thinking } }
    const { id, name, input } = block
    return { delta: { tool_calls: [{ index, id, function: { name, arguments: JSON.stringify(input) } }] } }
  })
  return [...pieces, { delta: {}, finish_reason: 'stop' }]
}

/** Anthropic's clients know a call by this prefix. */
function toolUseId(id: string): string {
  return id.replace(/^call_/, 'toolu_')
}

/** Empty where the token limit cut the arguments off: half an object is none. */
function inputOf(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    // its client sees by the stop reason that it is not complete
    return {}
  }
}
