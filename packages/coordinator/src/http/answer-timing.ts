import type { Route } from '@resultity/interface'
import type { MeshReport } from './chat-schema.ts'

/** Measures one answer: time to the first token, and the pace after it. */
export class AnswerTiming {
  readonly #now: () => number
  readonly #startMs: number
  #firstMs: number | undefined
  #lastMs: number | undefined
  #count = 0

  /** @param now monotonic milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
    this.#startMs = now()
  }

  /**
   * Call for every token.
   * @returns milliseconds since the one before, or since the request for the first
   */
  token(): { readonly first: boolean; readonly ms: number } {
    const now = this.#now()
    const first = this.#firstMs === undefined
    const ms = now - (this.#lastMs ?? this.#startMs)
    this.#firstMs ??= now
    this.#lastMs = now
    this.#count++
    return { first, ms }
  }

  report(route: Route): MeshReport {
    const first = this.#firstMs ?? this.#now()
    const decodeMs = (this.#lastMs ?? first) - first
    return {
      placementId: route.placementId,
      route: route.stages.map(({ peerId, range }) => ({ peerId, range: { first: range.first, end: range.end } })),
      ttftMs: round(first - this.#startMs),
      tokensPerSecond: this.#count < 2 || decodeMs === 0 ? null : round(((this.#count - 1) * 1000) / decodeMs)
    }
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
