import { SeededRandom } from './seeded-random.ts'
import { TimerQueue } from './timer-queue.ts'
import { VirtualProcess } from './virtual-process.ts'
import type { VirtualTime, VirtualTimer } from './virtual-timer.ts'

export interface VirtualSchedulerInit {
  /** All chance follows from it. */
  readonly seed: number
  /** Called after each step of virtual time, once everything that follows from it is done. What it throws ends the run. */
  readonly onStep?: () => void
}

/** Some moment of 2026: adverts and certificates know what year it is. */
const BEGIN_MS = 1_790_000_000_000

/**
 * Time that passes only when nothing is left to do: the next timer that is due runs, then all that follows from it
 * without waiting, then the next. One seed gives one order of everything, as long as nothing waits for the real world.
 */
export class VirtualScheduler implements VirtualTime {
  readonly #random: SeededRandom
  readonly #onStep: () => void
  readonly #queue = new TimerQueue()
  #nowMs = BEGIN_MS
  #order = 0
  #steps = 0

  constructor({ seed, onStep = () => {} }: VirtualSchedulerInit) {
    this.#random = new SeededRandom(seed)
    this.#onStep = onStep
  }

  /** Virtual time since the beginning, in milliseconds. */
  get elapsedMs(): number {
    return this.#nowMs - BEGIN_MS
  }

  /** Timers that have run. */
  get steps(): number {
    return this.#steps
  }

  /** As `Scheduler.monotonic` of every process. */
  monotonic(): number {
    return this.#nowMs
  }

  /** A machine in this time. */
  process(): VirtualProcess {
    return new VirtualProcess(this, this.#random.fork())
  }

  enqueue(timer: VirtualTimer, ms: number): void {
    if (timer.owner.state === 'ended') return
    this.#queue.push({ dueMs: this.#nowMs + ms, order: this.#order++, timer, version: timer.version })
  }

  /**
   * Lets time pass until `done`, or by at most `ms`.
   * @returns whether it is done
   * @throws what a timer or `onStep` throws
   */
  async run(done: () => boolean, ms: number): Promise<boolean> {
    const endMs = this.#nowMs + ms
    for (;;) {
      await settled()
      this.#onStep()
      if (done()) return true
      const next = this.#next()
      if (next === undefined || next.dueMs > endMs) {
        this.#nowMs = endMs
        return false
      }
      this.#queue.pop()
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      this.#steps++
      next.timer.owner.due(next.timer)
    }
  }

  /** The first timer that is still meant. */
  #next() {
    for (;;) {
      const next = this.#queue.peek()
      if (next === undefined) return undefined
      const { timer, version } = next
      if (!timer.cleared && timer.version === version && timer.owner.state !== 'ended') return next
      this.#queue.pop()
    }
  }
}

/** Resolves once everything that waits for nothing is done. */
function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
