import { type Scheduler, systemScheduler, type Timer, type WorkClass } from '@resultity/interface'
import type { BatchGate } from './batch-gate.ts'
import { batchOwedAt, nextTurn } from './turns.ts'

/** What a batch run is taken to last before one has. */
const BATCH_RUN_GUESS_MS = 50

/**
 * Serves one run at a time: interactive ones in the order of arrival, and batch ones in theirs as {@link nextTurn} has
 * it. Callbacks and no promises: the path of every token goes through.
 *
 * A session waits with one run at most, so the queue is no longer than the stage has slots.
 */
export class RunQueue {
  readonly #gate: BatchGate
  readonly #scheduler: Scheduler
  readonly #waiting: Readonly<Record<WorkClass, (() => void)[]>> = { interactive: [], batch: [] }
  readonly #idle: (() => void)[] = []
  #running: WorkClass | undefined
  #startedMs = 0
  /** How long the last batch run took. */
  #batchRunMs = BATCH_RUN_GUESS_MS
  /** Since when batch runs have waited without one being served. */
  #batchSinceMs = 0
  #timer: Timer | undefined

  constructor(gate: BatchGate, scheduler: Scheduler = systemScheduler) {
    this.#gate = gate
    this.#scheduler = scheduler
  }

  /** Calls `start` when it is its turn, perhaps at once. A run that was started calls {@link leave} once. */
  enter(start: () => void, workClass: WorkClass = 'interactive'): void {
    if (workClass === 'interactive') this.#gate.runBegan()
    else if (this.#waiting.batch.length === 0) this.#batchSinceMs = this.#gate.now()
    this.#waiting[workClass].push(start)
    if (this.#running === undefined) this.#next()
  }

  /** Takes back a `start` that waits. False when it is not waiting, because it has been called. */
  withdraw(start: () => void): boolean {
    for (const workClass of ['interactive', 'batch'] as const) {
      const waiting = this.#waiting[workClass]
      const index = waiting.indexOf(start)
      if (index === -1) continue
      waiting.splice(index, 1)
      if (workClass === 'interactive') this.#gate.runEnded()
      if (this.#running === undefined) this.#next()
      return true
    }
    return false
  }

  /** The run that was started is over: the next may start. */
  leave(): void {
    const ended = this.#running
    this.#running = undefined
    if (ended === 'interactive') this.#gate.runEnded()
    else {
      this.#batchSinceMs = this.#gate.now()
      this.#batchRunMs = this.#batchSinceMs - this.#startedMs
    }
    // a run that the gate woke may have begun already
    if (this.#running === undefined) this.#next()
  }

  /** Resolves once nothing runs or waits. */
  idle(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#idle.push(resolve)
    return promise
  }

  #isIdle(): boolean {
    return this.#running === undefined && this.#waiting.interactive.length === 0 && this.#waiting.batch.length === 0
  }

  readonly #next = (): void => {
    if (this.#running !== undefined) return
    this.#scheduler.clear(this.#timer)
    const { interactive, batch } = this.#waiting
    // nothing to weigh, and on the path of every token
    if (batch.length === 0) {
      if (interactive.length > 0) this.#start('interactive')
      else for (const resolve of this.#idle.splice(0)) resolve()
      return
    }
    const nowMs = this.#gate.now()
    const turn = nextTurn({
      nowMs,
      waiting: { interactive: interactive.length, batch: batch.length },
      yieldUntilMs: this.#gate.yieldUntilMs,
      batchOwedAtMs: batchOwedAt(this.#batchSinceMs, this.#batchRunMs, this.#gate.phase)
    })
    if (turn === 'batch') this.#startedMs = nowMs
    if (turn === 'interactive' || turn === 'batch') this.#start(turn)
    else if (turn !== undefined) {
      this.#gate.whenChanged(this.#next)
      this.#timer = this.#scheduler.setTimeout(this.#next, Math.ceil(turn.waitMs))
    }
  }

  #start(workClass: WorkClass): void {
    this.#running = workClass
    this.#waiting[workClass].shift()?.()
  }
}
