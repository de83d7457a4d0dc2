/** Admits `burst` at once, and `perSecond` in the long run. */
export class TokenBucket {
  readonly #burst: number
  readonly #perSecond: number
  #tokens: number
  #filledAtMs: number

  constructor(burst: number, perSecond: number, nowMs: number) {
    this.#burst = burst
    this.#perSecond = perSecond
    this.#tokens = burst
    this.#filledAtMs = nowMs
  }

  /** Whether one more may pass now; it is counted if so. A clock that goes backwards fills nothing. */
  take(nowMs: number): boolean {
    const passedMs = Math.max(0, nowMs - this.#filledAtMs)
    this.#filledAtMs = nowMs
    this.#tokens = Math.min(this.#burst, this.#tokens + (passedMs / 1000) * this.#perSecond)
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
