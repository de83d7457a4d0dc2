import type { DecoderManifest } from '@resultity/interface'
import { answerOf } from '@resultity/test-mesh'
import { Violation } from './violation.ts'

/** What one request has to be answered, token by token. */
export class ExpectedAnswer {
  readonly #name: string
  readonly #tokens: readonly number[]
  readonly #endTokens: ReadonlySet<number>
  #taken = 0

  constructor(name: string, manifest: DecoderManifest, prompt: readonly number[], tokensMax: number) {
    this.#name = name
    this.#endTokens = new Set(manifest.tokenizer.endTokenIds)
    this.#tokens = answerOf(manifest, prompt, tokensMax)
  }

  /** The next token that the client gets. @returns its index. @throws Violation */
  take(token: number): number {
    const expected = this.#tokens[this.#taken]
    if (token !== expected) {
      throw new Violation(`${this.#name} got ${token} as token ${this.#taken}, it is ${expected}`)
    }
    return this.#taken++
  }

  /** The answer is said to be whole, with so many tokens, the one that ends it included. @throws Violation */
  requireWhole(count: number): void {
    const shown = this.#shown.length
    if (count !== this.#tokens.length || this.#taken !== shown) {
      const what = `got ${this.#taken} tokens and was told of ${count}`
      throw new Violation(`${this.#name} ${what}, there are ${shown} of ${this.#tokens.length}`)
    }
  }

  /** The same for an answer that comes in one piece. @throws Violation */
  requireSame(tokens: readonly number[], count: number): void {
    if (count !== this.#tokens.length || tokens.join() !== this.#shown.join()) {
      throw new Violation(`${this.#name} was answered ${tokens}, it is ${this.#shown}`)
    }
  }

  /** A token that ends the answer counts, and nobody is shown it. */
  get #shown(): readonly number[] {
    return this.#tokens.filter(token => !this.#endTokens.has(token))
  }
}
