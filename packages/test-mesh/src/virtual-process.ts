import { type AbortOptions, type Scheduler, sleepBy, type Timer } from '@resultity/interface'
import type { SeededRandom } from './seeded-random.ts'
import { type TimerOwner, type VirtualTime, VirtualTimer } from './virtual-timer.ts'

/**
 * - `running` what is due happens
 * - `hanging` nothing of it happens; what was due meanwhile happens once it runs on, as of a process that was stopped
 * - `ended`   nothing of it happens any more
 */
export type VirtualProcessState = 'running' | 'hanging' | 'ended'

/** One machine's share of virtual time: it has a wall clock of its own, may hang, and may end with all its timers. */
export class VirtualProcess implements Scheduler, TimerOwner {
  readonly #time: VirtualTime
  readonly #random: SeededRandom
  readonly #deferred: VirtualTimer[] = []
  #state: VirtualProcessState = 'running'
  #clockOffsetMs = 0

  constructor(time: VirtualTime, random: SeededRandom) {
    this.#time = time
    this.#random = random
  }

  get state(): VirtualProcessState {
    return this.#state
  }

  now(): number {
    return Math.round(this.#time.monotonic() + this.#clockOffsetMs)
  }

  monotonic(): number {
    return this.#time.monotonic()
  }

  setTimeout(run: () => void, ms: number): Timer {
    return new VirtualTimer({ run, ms, again: false, owner: this }, this.#time)
  }

  setInterval(run: () => void, ms: number): Timer {
    return new VirtualTimer({ run, ms, again: true, owner: this }, this.#time)
  }

  clear(timer: Timer | undefined): void {
    if (timer instanceof VirtualTimer) timer.cleared = true
  }

  sleep(ms: number, options?: AbortOptions): Promise<void> {
    return sleepBy(this, ms, options)
  }

  timeoutSignal(ms: number): AbortSignal {
    const controller = new AbortController()
    this.setTimeout(() => controller.abort(new DOMException('the time is up', 'TimeoutError')), ms)
    return controller.signal
  }

  random(): number {
    return this.#random.fraction()
  }

  randomBytes(count: number): Uint8Array {
    return this.#random.bytes(count)
  }

  /** Somebody sets its wall clock. */
  jumpClock(ms: number): void {
    this.#clockOffsetMs += ms
  }

  /** Its wall clock is right again. */
  setClock(): void {
    this.#clockOffsetMs = 0
  }

  hang(): void {
    if (this.#state === 'running') this.#state = 'hanging'
  }

  /** Runs on after {@link hang}. */
  resume(): void {
    if (this.#state !== 'hanging') return
    this.#state = 'running'
    for (const timer of this.#deferred.splice(0)) this.#time.enqueue(timer, 0)
  }

  /** Nothing of it happens any more. */
  end(): void {
    this.#state = 'ended'
    this.#deferred.length = 0
  }

  /** A timer of this process is due. */
  due(timer: VirtualTimer): void {
    if (this.#state === 'running') timer.fire()
    else if (this.#state === 'hanging') this.#deferred.push(timer)
  }
}
