import type { ChatPiece, ToolDelta, TopLogprob } from '@resultity/openai'
import type { Job } from '@resultity/store'
import { itemIdOf } from './response-ids.ts'
import type {
  CustomToolCall,
  FunctionCall,
  OutputItem,
  OutputMessage,
  OutputText,
  ReasoningItem,
  ResponseLogprob
} from './response-schema.ts'

/** What events call that which a call is made with. */
const GROWTH = {
  function_call: 'response.function_call_arguments',
  custom_tool_call: 'response.custom_tool_call_input'
} as const

/** An event without its number. */
export type OutputEvent = { readonly type: string } & Readonly<Record<string, unknown>>

/**
 * Makes output items of the pieces of a chat completion's choice, and says with events how they grow. The same pieces
 * make the same items and events, and so do the same texts in other pieces, but for the deltas.
 */
export class ResponseOutput {
  readonly #job: Job
  readonly #done: OutputItem[] = []
  #message: { readonly item: OutputMessage; readonly part: OutputText } | undefined
  #call: { readonly item: FunctionCall | CustomToolCall; readonly index: number; readonly written: string } | undefined
  #reasoning: { readonly item: ReasoningItem; text: string } | undefined

  constructor(job: Job) {
    this.#job = job
  }

  /** What is complete so far: all of it after the piece that has a finish reason. */
  get items(): readonly OutputItem[] {
    return this.#done
  }

  take({ delta, logprobs, finish_reason: reason }: ChatPiece): OutputEvent[] {
    const events: OutputEvent[] = []
    const entries = (logprobs?.content ?? []).map(toLogprob)
    if ((delta.reasoning_content ?? '') !== '') events.push(...this.#thoughts(delta.reasoning_content ?? ''))
    if ((delta.content ?? '') !== '' || entries.length > 0) events.push(...this.#text(delta.content ?? '', entries))
    for (const call of delta.tool_calls ?? []) events.push(...this.#arguments(call))
    if (reason !== null && reason !== undefined) events.push(...this.#finish(reason))
    return events
  }

  #thoughts(delta: string): OutputEvent[] {
    const events: OutputEvent[] = []
    if (this.#reasoning === undefined) {
      events.push(...this.#closeOpen('completed'))
      const id = itemIdOf(this.#job, 'reasoning', 'out', this.#done.length)
      const item: ReasoningItem = { type: 'reasoning', id, summary: [], content: [], status: 'in_progress' }
      this.#reasoning = { item, text: '' }
      const part = { type: 'reasoning_text', text: '' }
      events.push({ type: 'response.output_item.added', output_index: this.#done.length, item })
      events.push({ type: 'response.content_part.added', ...this.#placeIn(id), part })
    }
    this.#reasoning.text += delta
    return [...events, { type: 'response.reasoning_text.delta', ...this.#placeIn(this.#reasoning.item.id), delta }]
  }

  #closeThoughts(status: ReasoningItem['status']): OutputEvent[] {
    if (this.#reasoning === undefined) return []
    const { item, text } = this.#reasoning
    this.#reasoning = undefined
    const place = this.#placeIn(item.id)
    const part = { type: 'reasoning_text' as const, text }
    const whole: ReasoningItem = { ...item, status, content: [part] }
    const index = this.#done.push(whole) - 1
    return [
      { type: 'response.reasoning_text.done', ...place, text },
      { type: 'response.content_part.done', ...place, part },
      { type: 'response.output_item.done', output_index: index, item: whole }
    ]
  }

  /** Of the one part of the item that is next. */
  #placeIn(itemId: string): { item_id: string; output_index: number; content_index: number } {
    return { item_id: itemId, output_index: this.#done.length, content_index: 0 }
  }

  /** Whichever item is open: there is one at most. */
  #closeOpen(status: OutputMessage['status']): OutputEvent[] {
    return [...this.#closeThoughts(status), ...this.#closeMessage(status), ...this.#closeCall(status)]
  }

  #text(delta: string, logprobs: readonly ResponseLogprob[]): OutputEvent[] {
    const events = this.#message === undefined ? [...this.#closeOpen('completed'), ...this.#openMessage()] : []
    if (this.#message === undefined) return events
    const { item, part } = this.#message
    part.text += delta
    part.logprobs.push(...logprobs)
    return [...events, { type: 'response.output_text.delta', ...this.#placeIn(item.id), delta, logprobs }]
  }

  #openMessage(): OutputEvent[] {
    const id = itemIdOf(this.#job, 'message', 'out', this.#done.length)
    const part: OutputText = { type: 'output_text', text: '', annotations: [], logprobs: [] }
    const item: OutputMessage = { type: 'message', id, role: 'assistant', status: 'in_progress', content: [] }
    this.#message = { item, part }
    const index = this.#done.length
    return [
      { type: 'response.output_item.added', output_index: index, item },
      {
        type: 'response.content_part.added',
        item_id: id,
        output_index: index,
        content_index: 0,
        part: { ...part, logprobs: [] }
      }
    ]
  }

  #closeMessage(status: OutputMessage['status']): OutputEvent[] {
    if (this.#message === undefined) return []
    const { item, part } = this.#message
    this.#message = undefined
    const whole: OutputMessage = { ...item, status, content: [part] }
    const index = this.#done.push(whole) - 1
    const place = { item_id: item.id, output_index: index, content_index: 0 }
    return [
      { type: 'response.output_text.done', ...place, text: part.text, logprobs: part.logprobs },
      { type: 'response.content_part.done', ...place, part },
      { type: 'response.output_item.done', output_index: index, item: whole }
    ]
  }

  #arguments({ index, id, function: fn, custom }: ToolDelta): OutputEvent[] {
    const events: OutputEvent[] = []
    if (this.#call?.index !== index) {
      events.push(...this.#closeOpen('completed'))
      const type = custom == null ? 'function_call' : 'custom_tool_call'
      events.push(...this.#openCall(index, type, id ?? `call_${index}`, fn?.name ?? custom?.name ?? ''))
    }
    const delta = fn?.arguments ?? custom?.input ?? ''
    if (this.#call === undefined || delta === '') return events
    const { item, written } = this.#call
    this.#call = { index, item, written: written + delta }
    const place = { item_id: item.id, output_index: this.#done.length }
    return [...events, { type: `${GROWTH[item.type]}.delta`, ...place, delta }]
  }

  #openCall(index: number, type: 'function_call' | 'custom_tool_call', callId: string, name: string): OutputEvent[] {
    const id = itemIdOf(this.#job, type, 'out', this.#done.length)
    const common = { id, call_id: callId, name, status: 'in_progress' as const }
    const item: FunctionCall | CustomToolCall =
      type === 'function_call' ? { type, ...common, arguments: '' } : { type, ...common, input: '' }
    this.#call = { item, index, written: '' }
    return [{ type: 'response.output_item.added', output_index: this.#done.length, item }]
  }

  #closeCall(status: FunctionCall['status']): OutputEvent[] {
    if (this.#call === undefined) return []
    const { item, written } = this.#call
    this.#call = undefined
    const whole: FunctionCall | CustomToolCall =
      item.type === 'function_call' ? { ...item, status, arguments: written } : { ...item, status, input: written }
    const index = this.#done.push(whole) - 1
    const said = whole.type === 'function_call' ? { name: whole.name, arguments: written } : { input: written }
    return [
      { type: `${GROWTH[item.type]}.done`, item_id: item.id, output_index: index, ...said },
      { type: 'response.output_item.done', output_index: index, item: whole }
    ]
  }

  #finish(reason: string): OutputEvent[] {
    const open = this.#message ?? this.#call ?? this.#reasoning
    const nothing = this.#done.length === 0 && open === undefined
    const status = incompleteReason(reason) === null ? 'completed' : 'incomplete'
    // an answer of no words is a message all the same
    return [...(nothing ? this.#openMessage() : []), ...this.#closeOpen(status)]
  }
}

/** Why a response is not complete, when it is not. */
export function incompleteReason(finishReason: string): 'max_output_tokens' | 'content_filter' | null {
  if (finishReason === 'length') return 'max_output_tokens'
  return finishReason === 'content_filter' ? 'content_filter' : null
}

/** The pieces that finished items stand for, for a log that was not kept. */
export function piecesOf(items: readonly OutputItem[], finishReason: string): ChatPiece[] {
  const pieces = items.map((item, index): ChatPiece => {
    if (item.type === 'message') {
      const [part] = item.content
      return { delta: { content: part?.text ?? '' }, logprobs: { content: part?.logprobs ?? [] } }
    }
    if (item.type === 'reasoning')
      return { delta: { reasoning_content: item.content.map(({ text }) => text).join('') } }
    const { call_id: id, name } = item
    if (item.type === 'custom_tool_call')
      return { delta: { tool_calls: [{ index, id, custom: { name, input: item.input } }] } }
    return { delta: { tool_calls: [{ index, id, function: { name, arguments: item.arguments } }] } }
  })
  return [...pieces, { delta: {}, finish_reason: finishReason }]
}

function toLogprob({
  token,
  logprob,
  bytes,
  top_logprobs: top
}: TopLogprob & { readonly top_logprobs: readonly TopLogprob[] }): ResponseLogprob {
  const alternatives = top.map(one => ({ token: one.token, logprob: one.logprob, bytes: one.bytes ?? [] }))
  return { token, logprob, bytes: bytes ?? [], top_logprobs: alternatives }
}
