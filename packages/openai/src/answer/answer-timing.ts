import type { Generation } from '@resultity/generation'
import { systemScheduler } from '@resultity/interface'
import type { MeshReport } from '../chat/chat-schema.ts'

/** Measures one answer: time to the first token, and the pace after it. */
export class AnswerTiming {
  readonly #now: () => number
  readonly #startMs: number
  #firstMs: number | undefined
  #lastMs: number | undefined
  #count = 0

  /** @param now monotonic milliseconds */
  constructor(now: () => number = () => systemScheduler.monotonic()) {
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

  /** Tokens after the first, and the mean of milliseconds that each took. */
  get pace(): { readonly count: number; readonly ms: number } {
    const count = Math.max(this.#count - 1, 0)
    const decodeMs = (this.#lastMs ?? 0) - (this.#firstMs ?? 0)
    return { count, ms: count === 0 ? 0 : decodeMs / count }
  }

  report({ route, reroutes, resumed = 0 }: Pick<Generation, 'route' | 'reroutes' | 'resumed'>): MeshReport {
    const { ms } = this.pace
    const { count = 0, exact = true } = reroutes ?? {}
    return {
      placementId: route.placementId,
      route: route.stages.map(({ peerId, range }) => ({ peerId, range: { first: range.first, end: range.end } })),
      ttftMs: round((this.#firstMs ?? this.#now()) - this.#startMs),
      tokensPerSecond: ms === 0 ? null : round(1000 / ms),
      ...(count === 0 ? {} : { reroutes: { count, exact } }),
      ...(resumed === 0 ? {} : { resumedTokens: resumed })
    }
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
