import type { AbortOptions } from '@resultity/interface'
import type { ChatMessage, MeshApi } from '../api/mesh-api.ts'
import type { Output } from '../output/output.ts'
import { prose } from '../output/text.ts'

export interface Answer {
  readonly model: string
  readonly text: string
  /** `stop` or `length`. */
  readonly finishReason: string
  readonly promptTokens: number
  readonly completionTokens: number
  /** Rate of decoding, without the wait for the first token; 0 for an answer of one token. */
  readonly tokensPerSecond: number
  /** Time from the request to the first text. */
  readonly firstTokenMs: number
  /** `PEER[first,end) …` */
  readonly route: string
}

/** Small models answer far better behind one, and some templates put in one of their own that does not help. */
export const DEFAULT_SYSTEM = 'You are a helpful assistant.'

export interface ConversationInit {
  readonly model: string
  /** Longest answer. Default: what the context leaves. */
  readonly maxTokens?: number | undefined
  /** What stands before all questions; empty: nothing. Default {@link DEFAULT_SYSTEM}. */
  readonly system?: string | undefined
}

/** A conversation with one model. Every question carries all earlier turns. */
export class Conversation {
  readonly model: string
  readonly #api: MeshApi
  readonly #maxTokens: number | undefined
  readonly #messages: ChatMessage[]

  constructor(api: MeshApi, { model, maxTokens, system = DEFAULT_SYSTEM }: ConversationInit) {
    this.#api = api
    this.model = model
    this.#maxTokens = maxTokens
    this.#messages = system === '' ? [] : [{ role: 'system', content: system }]
  }

  /**
   * Asks, and passes on the answer's text as it comes. A question whose answer failed or was canceled is forgotten.
   *
   * @throws MeshError the coordinator's error; the abort reason when canceled
   */
  async ask(prompt: string, onText: (text: string) => void, options: AbortOptions = {}): Promise<Answer> {
    const messages: ChatMessage[] = [...this.#messages, { role: 'user', content: prompt }]
    const startedAt = performance.now()
    let firstAt: number | undefined
    let text = ''
    let end = { finishReason: 'stop', promptTokens: 0, completionTokens: 0, route: '' }
    const request = {
      model: this.model,
      messages,
      temperature: 0,
      ...(this.#maxTokens === undefined ? {} : { max_tokens: this.#maxTokens })
    }
    for await (const event of this.#api.chat(request, options)) {
      if (event.type === 'text') {
        firstAt ??= performance.now()
        text += event.text
        onText(event.text)
      } else {
        end = event
      }
    }
    this.#messages.push({ role: 'user', content: prompt }, { role: 'assistant', content: text })
    return { model: this.model, text, ...figures(end, startedAt, firstAt ?? performance.now()) }
  }
}

function figures(
  end: Omit<Answer, 'model' | 'text' | 'tokensPerSecond' | 'firstTokenMs'>,
  startedAt: number,
  firstAt: number
) {
  const { finishReason, promptTokens, completionTokens, route } = end
  const seconds = (performance.now() - firstAt) / 1000
  const tokensPerSecond = completionTokens > 1 && seconds > 0 ? (completionTokens - 1) / seconds : 0
  return { finishReason, promptTokens, completionTokens, tokensPerSecond, firstTokenMs: firstAt - startedAt, route }
}

/** `42 tokens, 31.5 tokens/s, first after 120 ms`. */
export function formatFigures(answer: Answer): string {
  const rate = answer.tokensPerSecond > 0 ? `, ${answer.tokensPerSecond.toFixed(1)} tokens/s` : ''
  return `${answer.completionTokens} tokens${rate}, first after ${answer.firstTokenMs.toFixed(0)} ms`
}

/**
 * Prints an answer as it comes. A model says whatever it was led to say, escape sequences of terminals too: they are
 * shown and do nothing, unless the user wants the very bytes.
 */
export function answerPrinter(out: Output, raw: boolean): (piece: string) => void {
  return piece => (raw ? out.raw(piece) : out.print(prose(piece)))
}
