import type { AnswerReasoning } from '@resultity/dialects'
import type { ModelTokenizer } from '@resultity/tokenizer'
import { StopMatcher } from './stop-matcher.ts'

export interface AnswerTextInit {
  readonly tokenizer: ModelTokenizer
  /** How the model reasons before it answers; undefined: all text is answer. */
  readonly reasoning: AnswerReasoning | undefined
  /** Names of special tokens that are text, beside those of the reasoning. */
  readonly markers: readonly string[]
  readonly stop: readonly string[]
  readonly stopTokenIds: readonly number[]
  readonly includeStop: boolean
  readonly tokensMin: number
}

/** What a token, or the end, adds to an answer. */
export interface AnswerTextPiece {
  readonly text: string
  /** Set where the token belongs to the reasoning, or to what is written around it and the answer. */
  readonly reasoning?: string
  /** All that the token adds to what the model writes. Absent where that is `text`, which may come later. */
  readonly written?: string
  /** The stop string that ended the answer, where one did. */
  readonly stop?: string
}

/** Makes text of an answer's tokens: reasoning and answer apart, the answer ended at the first stop string. */
export class AnswerText {
  /** Tokens so far. */
  count = 0
  /** Tokens of the reasoning, with its tags, and the heads of messages where a family parts its answer into such. */
  reasoningCount = 0
  /** Tokens of heads since the last text, and such of which it is not known yet what they are. */
  #frames = 0
  #undecided = 0
  readonly #init: AnswerTextInit
  readonly #decoder
  readonly #reader
  readonly #stops: StopMatcher

  constructor(init: AnswerTextInit) {
    this.#init = init
    const { tokenizer, reasoning, markers, stop, includeStop } = init
    const named = [...markers, ...(reasoning?.markers ?? [])]
    this.#decoder = tokenizer.decoder(named.length === 0 ? {} : { named: new Set(named) })
    this.#reader = reasoning?.reader()
    this.#stops = new StopMatcher(stop, { include: includeStop })
  }

  /** @param ends it is an end token, which is no text unless it is a stop that is to be seen */
  push(token: number, ends: boolean): AnswerTextPiece {
    this.count++
    const { includeStop, stopTokenIds } = this.#init
    const said = !ends || (includeStop && stopTokenIds.includes(token))
    const text = (said ? this.#decoder.push(token) : '') + (ends ? this.#decoder.flush() : '')
    return this.#read(text, ends)
  }

  /** Nothing more comes: what was held back. */
  flush(): AnswerTextPiece {
    // an answer that is cut off ends before the character that it is in the midst of: the decoder is not flushed
    const { reasoning = '', content = '' } = this.#reader?.flush() ?? {}
    const { text, stop } = this.#stops.push(content)
    return {
      text: stop === undefined ? text + this.#stops.flush() : text,
      ...(reasoning === '' ? {} : { reasoning }),
      ...(stop === undefined ? {} : { stop })
    }
  }

  /** Stops are looked for in the answer alone: what a model reasons about may well be a stop. */
  #read(text: string, ends: boolean): AnswerTextPiece {
    const reader = this.#reader
    if (reader === undefined) return this.#answered(text)
    const { inside, framing } = reader
    const { reasoning, content } = reader.push(text)
    const isReasoning = (inside || reader.inside || reasoning !== '') && content === ''
    const isFrame = !isReasoning && (framing || reader.framing) && content === ''
    // an end token is neither
    if (!ends) this.#count(isReasoning ? 'reasoning' : isFrame ? 'frame' : content === '' ? 'undecided' : 'answer')
    if ((isReasoning || isFrame) && !ends) return { text: '', reasoning, written: text }
    return { ...this.#answered(content), written: text, ...(reasoning === '' ? {} : { reasoning }) }
  }

  #count(kind: 'reasoning' | 'frame' | 'undecided' | 'answer'): void {
    if (kind === 'frame') this.#frames++
    else if (kind === 'undecided') this.#undecided++
    else {
      // what comes before a text belongs to it, and heads between reasoning and answer to the reasoning
      if (kind === 'reasoning') this.reasoningCount += this.#frames + this.#undecided + 1
      else if (this.reasoningCount > 0) this.reasoningCount += this.#frames
      this.#frames = 0
      this.#undecided = 0
    }
  }

  #answered(content: string): AnswerTextPiece {
    return this.count > this.#init.tokensMin ? this.#stops.push(content) : { text: content }
  }
}
