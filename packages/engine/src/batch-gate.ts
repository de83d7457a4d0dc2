/**
 * How long an interactive session keeps batch runs waiting by having shown signs of life: longer than a chunk takes the
 * stages before this one, and short for one whose prompt never comes.
 */
const HOLD_MS = 5000

/** An interactive session on its way to its first token. */
export interface FirstTokenHold extends Disposable {
  /** It still is. */
  renew(): void
}

/**
 * Keeps batch runs of all stages and encoders of one engine waiting while interactive work is under way in it: runs that
 * wait or are at work, and sessions from their opening to their first token. These have a core's caches, or a whole
 * machine that several nodes share, to themselves.
 */
export class BatchGate {
  readonly #now: () => number
  readonly #holds = new Map<object, number>()
  readonly #waiting = new Set<() => void>()
  #runs = 0

  /** @param now milliseconds, monotonic */
  constructor(now: () => number) {
    this.#now = now
  }

  now(): number {
    return this.#now()
  }

  /** As {@link nextTurn} wants it. */
  get yieldUntilMs(): number {
    return this.#runs > 0 ? Number.POSITIVE_INFINITY : Math.max(0, ...this.#holds.values())
  }

  /** An interactive run waits, or begins. */
  runBegan(): void {
    this.#runs++
  }

  runEnded(): void {
    this.#runs--
    this.#openWhenFree()
  }

  hold(): FirstTokenHold {
    const key = {}
    const renew = (): void => {
      this.#holds.set(key, this.#now() + HOLD_MS)
    }
    renew()
    return {
      renew,
      [Symbol.dispose]: () => {
        this.#holds.delete(key)
        this.#openWhenFree()
      }
    }
  }

  /** Calls `look` once when batch runs need not wait any more. Time passing is for the caller to notice. */
  whenOpen(look: () => void): void {
    this.#waiting.add(look)
  }

  #openWhenFree(): void {
    if (this.#waiting.size === 0 || this.#runs > 0 || this.#holds.size > 0) return
    const looks = [...this.#waiting]
    this.#waiting.clear()
    for (const look of looks) look()
  }
}
