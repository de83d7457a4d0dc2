import type { InteractivePhase } from './turns.ts'

/**
 * How long an interactive session keeps batch runs waiting by having shown signs of life: longer than a chunk takes the
 * stages before this one, and short for one whose prompt never comes.
 */
const HOLD_MS = 5000

/** An interactive session, from its opening on. */
export interface InteractiveHold extends Disposable {
  /** It goes on. */
  renew(phase: InteractivePhase): void
}

interface Held {
  readonly phase: InteractivePhase
  readonly untilMs: number
}

/**
 * Keeps batch runs of all stages and encoders of one engine waiting while interactive work is under way in it: runs that
 * wait or are at work, and sessions that are open.
 */
export class BatchGate {
  readonly #now: () => number
  readonly #holds = new Map<object, Held>()
  readonly #waiting = new Set<() => void>()
  #runs = 0

  /** @param now milliseconds, monotonic */
  constructor(now: () => number) {
    this.#now = now
  }

  now(): number {
    return this.#now()
  }

  /** When batch runs need not wait any more; infinity while that is not known. */
  get yieldUntilMs(): number {
    if (this.#runs > 0) return Number.POSITIVE_INFINITY
    return Math.max(0, ...Array.from(this.#holds.values(), held => held.untilMs))
  }

  /** Of the session that matters most. */
  get phase(): InteractivePhase {
    const nowMs = this.#now()
    const starts = [...this.#holds.values()].some(held => held.phase === 'first-token' && held.untilMs > nowMs)
    return starts ? 'first-token' : 'answering'
  }

  /** An interactive run waits, or begins. */
  runBegan(): void {
    this.#runs++
  }

  runEnded(): void {
    this.#runs--
    if (this.#runs === 0 && this.#holds.size === 0) this.#changed()
  }

  /** Keeps batch runs waiting until it is disposed, or has not been renewed for a while. */
  hold(): InteractiveHold {
    const key = {}
    const set = (phase: InteractivePhase): void => {
      this.#holds.set(key, { phase, untilMs: this.#now() + HOLD_MS })
    }
    set('first-token')
    return {
      renew: phase => {
        const before = this.#holds.get(key)
        // a run may end after its session
        if (before === undefined) return
        set(phase)
        if (before.phase !== phase) this.#changed()
      },
      [Symbol.dispose]: () => {
        if (this.#holds.delete(key)) this.#changed()
      }
    }
  }

  /** Calls `look` once when batch runs may have to wait less. Time passing is for the caller to notice. */
  whenChanged(look: () => void): void {
    this.#waiting.add(look)
  }

  #changed(): void {
    if (this.#waiting.size === 0) return
    const looks = [...this.#waiting]
    this.#waiting.clear()
    for (const look of looks) look()
  }
}
