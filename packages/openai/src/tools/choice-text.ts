import { createHash } from 'node:crypto'
import { type AnswerPiece, type AnswerReader, CustomInput } from '@resultity/dialects'
import type { FinishReason } from '@resultity/interface'
import { readerOf } from './model-dialect.ts'
import type { FunctionCallAnswer, FunctionCallDelta, ToolCallAnswer, ToolCallDelta } from './tool-schema.ts'
import type { ToolUse } from './tool-use.ts'

/** A piece of a choice as a streamed answer carries it. */
export interface ChoiceDelta {
  readonly content?: string
  readonly reasoning_content?: string
  readonly tool_calls?: ToolCallDelta[]
  /** Instead of `tool_calls`, for a client that speaks of `functions`. */
  readonly function_call?: FunctionCallDelta
}

/** How a choice ended, for its client. */
export type ChoiceFinish = FinishReason | 'tool_calls' | 'function_call'

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
  readonly #custom: ReadonlySet<string>
  readonly #legacy: boolean
  readonly #calls: Call[] = []
  #content = ''
  #reasoning = ''

  constructor({ toolUse, id }: ChoiceTextInit) {
    this.#id = id
    this.#reader = toolUse === undefined ? undefined : readerOf(toolUse)
    this.#custom = toolUse?.custom ?? new Set()
    this.#legacy = toolUse?.legacy === true
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
    if (this.#legacy) return []
    return this.#calls.map(({ id, name, written, input }) =>
      input === undefined
        ? { id, type: 'function', function: { name, arguments: written } }
        : { id, type: 'custom', custom: { name, input: written } }
    )
  }

  /** The call, for a client that speaks of `functions`. */
  get functionCall(): FunctionCallAnswer | undefined {
    const [call] = this.#calls
    return this.#legacy && call !== undefined ? { name: call.name, arguments: call.written } : undefined
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
    if (reason !== 'stop' || this.#calls.length === 0) return reason
    return this.#legacy ? 'function_call' : 'tool_calls'
  }

  #deltas(pieces: readonly AnswerPiece[]): ChoiceDelta[] {
    return pieces.flatMap((piece): ChoiceDelta[] => {
      if (piece.type === 'content') {
        this.#content += piece.text
        return [{ content: piece.text }]
      }
      return piece.type === 'call' ? [this.#begun(piece)] : this.#written(piece)
    })
  }

  #begun({ index, name }: Extract<AnswerPiece, { type: 'call' }>): ChoiceDelta {
    const id = `call_${createHash('sha256').update(`${this.#id} ${index}`).digest('hex').slice(0, 24)}`
    const isCustom = this.#custom.has(name)
    this.#calls.push({ id, name, written: '', ...(isCustom ? { input: new CustomInput() } : {}) })
    if (this.#legacy) return { function_call: { name, arguments: '' } }
    if (isCustom) return { tool_calls: [{ index, id, type: 'custom', custom: { name, input: '' } }] }
    return { tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] }
  }

  #written({ index, text: json }: Extract<AnswerPiece, { type: 'arguments' }>): ChoiceDelta[] {
    const call = this.#calls[index]
    const text = call?.input === undefined ? json : call.input.push(json)
    if (call === undefined || text === '') return []
    call.written += text
    if (this.#legacy) return [{ function_call: { arguments: text } }]
    return [
      {
        tool_calls: [
          { index, ...(call.input === undefined ? { function: { arguments: text } } : { custom: { input: text } }) }
        ]
      }
    ]
  }
}

/** A call as far as it has come. */
interface Call {
  readonly id: string
  readonly name: string
  /** Its arguments, or the text of a custom tool. */
  written: string
  /** Of a custom tool. */
  readonly input?: CustomInput
}
