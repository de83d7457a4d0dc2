import type { Sampling } from '@resultity/interface'
import { sampleToken } from './sampling.ts'
import type { TokenConstraint } from './token-constraint.ts'

export interface TokenSamplerInit {
  readonly sampling: Sampling
  /** Tokens of the prompt, each once; `repetitionPenalty` counts them as seen. */
  readonly promptTokens: Iterable<number>
  /** None of them comes before `tokensMin` tokens did. Default: none. */
  readonly endTokens?: Iterable<number>
  /** Default 0. */
  readonly tokensMin?: number
}

/**
 * Picks the tokens of one answer, one after another, and remembers what penalties and constraints must know of it.
 *
 * The model's logits are changed in this order: repetition penalty, frequency and presence penalty, bias, constraint, end
 * tokens that may not come yet. An answer that asks for none of these is sampled from the logits as they are, without a copy.
 */
export class TokenSampler implements Disposable {
  readonly #sampling: Sampling
  readonly #adjusts: boolean
  /** How often each token came in the answer. */
  readonly #counts = new Map<number, number>()
  /** What the repetition penalty lowers. */
  readonly #seen: Set<number>
  readonly #endTokens: readonly number[]
  /** Tokens to come before the first end token may. */
  #mustCome: number
  #constraint: TokenConstraint | undefined
  #adjusted: Float32Array | undefined

  constructor({ sampling, promptTokens, endTokens = [], tokensMin = 0 }: TokenSamplerInit) {
    this.#sampling = sampling
    this.#endTokens = [...endTokens]
    this.#mustCome = this.#endTokens.length === 0 ? 0 : tokensMin
    const { frequencyPenalty = 0, presencePenalty = 0, repetitionPenalty = 1, logitBias = [] } = sampling
    this.#adjusts = frequencyPenalty !== 0 || presencePenalty !== 0 || repetitionPenalty !== 1 || logitBias.length > 0
    this.#seen = new Set(repetitionPenalty === 1 ? [] : promptTokens)
  }

  /** Holds the answer to `constraint` from its first token on. */
  constrain(constraint: TokenConstraint): void {
    this.#constraint = constraint
  }

  /**
   * Resolves once {@link next} can be called; undefined when it can.
   *
   * @throws MeshError `invalid_request` when it is too much work to say what may come
   */
  ready(): Promise<void> | undefined {
    return this.#constraint?.ready()
  }

  /** Nothing more is sampled. */
  [Symbol.dispose](): void {
    this.#constraint?.[Symbol.dispose]()
  }

  /**
   * The token at `position`. `logits` stay as they are.
   *
   * @throws MeshError `engine_failed` when the logits are no numbers, or none of the tokens may come
   */
  next(logits: Float32Array, position: number): number {
    const token = this.pick(logits, position)
    this.take(token)
    return token
  }

  /** What {@link next} would be, and nothing remembers it. @throws MeshError as {@link next} does */
  pick(logits: Float32Array, position: number): number {
    if (!this.#adjusts && this.#constraint === undefined && this.#mustCome === 0)
      return sampleToken(logits, this.#sampling, position).token
    this.#adjusted ??= new Float32Array(logits.length)
    this.#adjusted.set(logits)
    if (this.#adjusts) this.#adjust(this.#adjusted)
    this.#constraint?.mask(this.#adjusted)
    if (this.#mustCome > 0) for (const token of this.#endTokens) this.#adjusted[token] = Number.NEGATIVE_INFINITY
    return sampleToken(this.#adjusted, this.#sampling, position).token
  }

  /**
   * Remembers `token` as the next of the answer, whether it was sampled here or not.
   *
   * @throws MeshError `engine_failed` when the constraint does not allow it
   */
  take(token: number): void {
    if (this.#mustCome > 0) this.#mustCome--
    this.#constraint?.accept(token)
    if (!this.#adjusts) return
    this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1)
    if ((this.#sampling.repetitionPenalty ?? 1) !== 1) this.#seen.add(token)
  }

  #adjust(logits: Float32Array): void {
    const { frequencyPenalty = 0, presencePenalty = 0, repetitionPenalty = 1, logitBias = [] } = this.#sampling
    // as in CTRL (Keskar et al., arXiv:1909.05858): away from being picked on either side of zero
    for (const token of this.#seen) {
      const logit = logits[token] ?? 0
      logits[token] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty
    }
    if (frequencyPenalty !== 0 || presencePenalty !== 0) {
      for (const [token, count] of this.#counts) {
        logits[token] = (logits[token] ?? 0) - frequencyPenalty * count - presencePenalty
      }
    }
    for (const { token, bias } of logitBias) if (token < logits.length) logits[token] = (logits[token] ?? 0) + bias
  }
}
