import { createHash } from 'node:crypto'
import type { AnswerPiece, AnswerReader } from '@resultity/dialects'
import type { FinishReason } from '@resultity/interface'
import { readerOf } from './model-dialect.ts'
import type { ToolCallAnswer, ToolCallDelta } from './tool-schema.ts'
import type { ToolUse } from './tool-use.ts'

/** A piece of a choice as a streamed answer carries it. */
export interface ChoiceDelta {
  readonly content?: string
  readonly reasoning_content?: string
  readonly tool_calls?: ToolCallDelta[]
}

/** How a choice ended, for its client. */
export type ChoiceFinish = FinishReason | 'tool_calls'

export interface ChoiceTextInit {
  /** Undefined: all text is content. */
  readonly toolUse: ToolUse | undefined
  /** Of this choice, the same whenever it is made again: the ids of its calls follow from it. */
  readonly id: string
}

/** Turns the text of a choice into content and tool calls, piece by piece and as a whole. */
export class ChoiceText {
  readonly #id: string
  readonly #reader: AnswerReader | undefined
  readonly #calls: { id: string; name: string; arguments: string }[] = []
  #content = ''
  #reasoning = ''

  constructor({ toolUse, id }: ChoiceTextInit) {
    this.#id = id
    this.#reader = toolUse === undefined ? undefined : readerOf(toolUse)
  }

  /** Nothing that may still come is wanted: the answer need not be made further. */
  get done(): boolean {
    return this.#reader?.done === true
  }

  /** Null where there are calls and nothing else. */
  get content(): string | null {
    return this.#content === '' && this.#calls.length > 0 ? null : this.#content
  }

  /** Undefined where there was none. */
  get reasoning(): string | undefined {
    return this.#reasoning === '' ? undefined : this.#reasoning
  }

  get toolCalls(): ToolCallAnswer[] {
    return this.#calls.map(({ id, ...call }) => ({ id, type: 'function', function: call }))
  }

  /** More of what the model reasons before its answer. */
  reason(text: string): ChoiceDelta[] {
    if (text === '') return []
    this.#reasoning += text
    return [{ reasoning_content: text }]
  }

  push(text: string): ChoiceDelta[] {
    if (text === '') return []
    return this.#deltas(this.#reader?.push(text) ?? [{ type: 'content', text }])
  }

  /** The choice is over: what was held back. */
  flush(): ChoiceDelta[] {
    return this.#deltas(this.#reader?.flush() ?? [])
  }

  /** An answer that ended by itself and has calls ended for these. */
  finish(reason: FinishReason): ChoiceFinish {
    return reason === 'stop' && this.#calls.length > 0 ? 'tool_calls' : reason
  }

  #deltas(pieces: readonly AnswerPiece[]): ChoiceDelta[] {
    return pieces.map(piece => {
      if (piece.type === 'content') {
        this.#content += piece.text
        return { content: piece.text }
      }
      return { tool_calls: [this.#callDelta(piece)] }
    })
  }

  #callDelta(piece: Exclude<AnswerPiece, { type: 'content' }>): ToolCallDelta {
    const { index } = piece
    if (piece.type === 'arguments') {
      const call = this.#calls[index]
      if (call !== undefined) call.arguments += piece.text
      return { index, function: { arguments: piece.text } }
    }
    const id = `call_${createHash('sha256').update(`${this.#id} ${index}`).digest('hex').slice(0, 24)}`
    this.#calls.push({ id, name: piece.name, arguments: '' })
    return { index, id, type: 'function', function: { name: piece.name, arguments: '' } }
  }
}
