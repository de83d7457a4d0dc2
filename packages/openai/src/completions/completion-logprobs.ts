import type { ModelTokenizer } from '@resultity/tokenizer'
import type { CompletionLogprobs } from './completion-schema.ts'

/** How likely one token was, and what else might have come. */
export interface Likelihood {
  readonly logprob: number
  readonly top: readonly { readonly token: number; readonly logprob: number }[]
}

/** Writes token probabilities as completions have them, and where in the text each token begins. */
export class LogprobWriter {
  readonly #tokenizer: ModelTokenizer
  readonly #whole: CompletionLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] }
  /** Spells the tokens as they come, to know where each begins: the answer's own text lags behind them. */
  #decoder: ReturnType<ModelTokenizer['decoder']>
  #offset = 0

  constructor(tokenizer: ModelTokenizer) {
    this.#tokenizer = tokenizer
    this.#decoder = tokenizer.decoder()
  }

  /** Everything so far. */
  get whole(): CompletionLogprobs {
    return this.#whole
  }

  /** A new text begins in the choice's text at `offset`. */
  begin(offset: number): void {
    this.#decoder = this.#tokenizer.decoder()
    this.#offset = offset
  }

  /**
   * Adds tokens, and returns what was added.
   * @param tokens each with its likelihood; null for one that nothing stands before
   */
  add(tokens: readonly (readonly [tokenId: number, likelihood: Likelihood | null])[]): CompletionLogprobs {
    const added: CompletionLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] }
    for (const [tokenId, likelihood] of tokens) {
      added.tokens.push(this.#tokenizer.decode([tokenId]))
      added.token_logprobs.push(likelihood?.logprob ?? null)
      added.top_logprobs.push(likelihood === null ? null : this.#alternatives(tokenId, likelihood))
      added.text_offset.push(this.#offset)
      this.#offset += this.#decoder.push(tokenId).length
    }
    this.#whole.tokens.push(...added.tokens)
    this.#whole.token_logprobs.push(...added.token_logprobs)
    this.#whole.top_logprobs.push(...added.top_logprobs)
    this.#whole.text_offset.push(...added.text_offset)
    return added
  }

  /** By their text; the likelier wins where two have the same. The token itself is always among them. */
  #alternatives(tokenId: number, { logprob, top }: Likelihood): Record<string, number> {
    const entries = top.map(one => [this.#tokenizer.decode([one.token]), one.logprob] as const).toReversed()
    return Object.fromEntries([...entries, [this.#tokenizer.decode([tokenId]), logprob]])
  }
}
