import { safeParse } from '@resultity/interface'
import { type ChatPiece, chatPieceSchema, wholePiece } from '@resultity/openai'
import { z } from 'zod'
import type { Call, Logprobs } from './text-schema.ts'

/** What a model said, in part or whole. */
export interface Said {
  readonly content: string
  /** What it reasoned before. */
  readonly thinking: string
  readonly calls: readonly Call[]
  readonly logprobs: Logprobs
}

export const NOTHING: Said = { content: '', thinking: '', calls: [], logprobs: [] }

/** A completion's choice, or a piece of one. */
const textPieceSchema = z.looseObject({ text: z.string(), finish_reason: z.string().nullish() })
const completionSchema = z.looseObject({ choices: z.array(textPieceSchema).min(1) })

/** A piece of a chat completion's log, or of a completion's. */
export function pieceOf(entry: unknown): ChatPiece {
  const isText = typeof entry === 'object' && entry !== null && 'text' in entry
  return isText ? fromText(textPieceSchema.parse(entry)) : chatPieceSchema.parse(entry)
}

/** All of a chat completion, or of a completion, as one piece. */
export function wholeOf(answer: unknown): ChatPiece {
  const completion = safeParse(completionSchema, answer)
  const [choice] = completion.success ? completion.data.choices : []
  return choice === undefined ? wholePiece(answer) : fromText(choice)
}

function fromText({ text, finish_reason }: z.infer<typeof textPieceSchema>): ChatPiece {
  return { delta: { content: text }, finish_reason }
}

/** Why it ended, in Ollama's words: calls are an end like any other. */
export function doneReason({ finish_reason: reason }: ChatPiece): 'stop' | 'length' {
  return reason === 'length' ? 'length' : 'stop'
}

/** Makes of pieces what they say: texts as they come, and calls once each is whole, since Ollama has arguments as values. */
export class SaidReader {
  #open: { index: number; id: string; name: string; json: string } | undefined

  /** What a piece adds; nothing for one that is only the beginning of something. */
  take({ delta, finish_reason: reason, logprobs }: ChatPiece): Said[] {
    const calls: Call[] = []
    for (const call of delta.tool_calls ?? []) {
      if (call.index !== this.#open?.index) {
        calls.push(...this.#close())
        this.#open = {
          index: call.index,
          id: call.id ?? `call_${call.index}`,
          name: call.function?.name ?? '',
          json: ''
        }
      }
      this.#open.json += call.function?.arguments ?? ''
    }
    if (reason !== undefined && reason !== null) calls.push(...this.#close())
    const { content, reasoning_content: thinking } = delta
    const said = { content: content ?? '', thinking: thinking ?? '', calls, logprobs: logprobsOf(logprobs) }
    return isNothing(said) ? [] : [said]
  }

  #close(): Call[] {
    const open = this.#open
    if (open === undefined) return []
    this.#open = undefined
    const { index, id, name, json } = open
    return [{ id, function: { index, name, arguments: valuesOf(json) } }]
  }
}

function isNothing({ content, thinking, calls, logprobs }: Said): boolean {
  return content === '' && thinking === '' && calls.length === 0 && logprobs.length === 0
}

function logprobsOf(logprobs: ChatPiece['logprobs']): Logprobs {
  return (logprobs?.content ?? []).map(({ token, logprob, bytes, top_logprobs: others }) => ({
    token,
    logprob,
    bytes: bytes ?? null,
    ...(others.length === 0
      ? {}
      : { top_logprobs: others.map(({ bytes, ...one }) => ({ ...plain(one), bytes: bytes ?? null })) })
  }))
}

function plain({ token, logprob }: { readonly token: string; readonly logprob: number }) {
  return { token, logprob }
}

/** Empty where the token limit cut the arguments off: half an object is none. */
function valuesOf(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    // its client sees by the reason that it is not complete
    return {}
  }
}
