import { type Scheduler, systemScheduler, type Timer, type WorkClass } from '@resultity/interface'
import type { BatchGate } from './batch-gate.ts'
import { Company } from './company.ts'
import { nextRun } from './next-run.ts'
import { batchOwedAt } from './turns.ts'

/** What a batch run is taken to last before one has. */
const BATCH_RUN_GUESS_MS = 50

const CLASSES = ['interactive', 'batch'] as const

/** How a stage computes steps of several sessions together. */
export interface SharedSteps<Step extends object> {
  /** Begins a run of `steps`. Whoever was started calls {@link RunQueue.leave} once. */
  readonly start: (steps: readonly Step[]) => void
  /** Whether a step's result leads to the next step at once: the stage is a whole route. */
  readonly feedsItself: boolean
}

/** What runs. Of steps, batch ones make it a batch run. */
interface Running<Step extends object> {
  readonly workClass: WorkClass
  /** Interactive runs in it. */
  readonly interactive: number
  /** Steps whose sessions are still there. */
  readonly steps: Step[]
}

/**
 * Serves one run at a time, as {@link nextRun} has it: a run of its own in the order of arrival, or all steps that wait
 * together. Callbacks and no promises: the path of every token goes through.
 *
 * A session waits with one run at most, so the queue is no longer than the stage has slots.
 */
export class RunQueue<Step extends object = never> {
  readonly #gate: BatchGate
  readonly #scheduler: Scheduler
  readonly #shared: SharedSteps<Step> | undefined
  readonly #company: Company<Step>
  readonly #alone: Readonly<Record<WorkClass, (() => void)[]>> = { interactive: [], batch: [] }
  readonly #steps: Readonly<Record<WorkClass, Step[]>> = { interactive: [], batch: [] }
  readonly #idle: (() => void)[] = []
  #running: Running<Step> | undefined
  #steppedLast = false
  #startedMs = 0
  /** How long the last batch run took. */
  #batchRunMs = BATCH_RUN_GUESS_MS
  /** Since when batch runs have waited without one being served. */
  #batchSinceMs = 0
  #timer: Timer | undefined
  #looksAgain = false

  constructor(gate: BatchGate, scheduler: Scheduler = systemScheduler, shared?: SharedSteps<Step>) {
    this.#gate = gate
    this.#scheduler = scheduler
    this.#shared = shared
    this.#company = new Company(shared?.feedsItself ?? false)
  }

  /** Calls `start` when it is its turn, perhaps at once. A run that was started calls {@link leave} once. */
  enter(start: () => void, workClass: WorkClass = 'interactive'): void {
    this.#arrives(workClass)
    this.#alone[workClass].push(start)
    if (this.#running === undefined) this.#next()
  }

  /** Has `step` computed when it is its turn, perhaps at once, together with others. */
  enterStep(step: Step, workClass: WorkClass = 'interactive'): void {
    this.#arrives(workClass)
    this.#steps[workClass].push(step)
    this.#company.came(step, this.#gate.now())
    if (this.#running === undefined) this.#next()
  }

  /** Takes back a `start` or a step that waits. False when it is not waiting, because its run has begun. */
  withdraw(run: (() => void) | Step): boolean {
    for (const workClass of CLASSES) {
      if (!remove<object>(this.#alone[workClass], run) && !remove<object>(this.#steps[workClass], run)) continue
      if (workClass === 'interactive') this.#gate.runEnded()
      if (this.#running === undefined) this.#next()
      return true
    }
    return false
  }

  /** The session of `step` is over: nobody waits for it. */
  forget(step: Step): void {
    this.#company.left(step)
    if (this.#running !== undefined) remove(this.#running.steps, step)
  }

  /** What was started is over: the next may start. */
  leave(): void {
    const ended = this.#running
    this.#running = undefined
    if (ended === undefined) return
    if (ended.steps.length > 0) this.#company.ran(ended.steps)
    if (ended.workClass === 'batch') {
      this.#batchSinceMs = this.#gate.now()
      this.#batchRunMs = this.#batchSinceMs - this.#startedMs
    }
    for (let run = 0; run < ended.interactive; run++) this.#gate.runEnded()
    // a run that the gate woke may have begun already
    if (this.#running === undefined) this.#next()
  }

  /** Resolves once nothing runs or waits. */
  idle(): Promise<void> {
    if (this.#running === undefined && !this.#waits()) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#idle.push(resolve)
    return promise
  }

  #arrives(workClass: WorkClass): void {
    if (workClass === 'interactive') this.#gate.runBegan()
    else if (this.#count('batch') === 0) this.#batchSinceMs = this.#gate.now()
  }

  #count(workClass: WorkClass): number {
    return this.#alone[workClass].length + this.#steps[workClass].length
  }

  #waits(): boolean {
    return this.#count('interactive') + this.#count('batch') > 0
  }

  readonly #next = (): void => {
    if (this.#running !== undefined) return
    this.#scheduler.clear(this.#timer)
    if (!this.#waits()) {
      for (const resolve of this.#idle.splice(0)) resolve()
      return
    }
    const { interactive, batch } = this.#steps
    // without batch work there is nothing to weigh, and this is on the path of every token
    const weighs = this.#count('batch') > 0
    const nowMs = this.#gate.now()
    const run = nextRun({
      nowMs,
      waiting: {
        interactive: { steps: interactive.length, alone: this.#alone.interactive.length },
        batch: { steps: batch.length, alone: this.#alone.batch.length }
      },
      yieldUntilMs: weighs ? this.#gate.yieldUntilMs : nowMs,
      batchOwedAtMs: weighs
        ? batchOwedAt(this.#batchSinceMs, this.#batchRunMs, this.#gate.phase)
        : Number.POSITIVE_INFINITY,
      steppedLast: this.#steppedLast,
      companyUntilMs: Math.max(this.#company.untilMs(interactive), this.#company.untilMs(batch))
    })
    if (run === undefined) return
    if (run === 'company') this.#lookAgain()
    else if ('waitMs' in run) {
      this.#gate.whenChanged(this.#next)
      this.#timer = this.#scheduler.setTimeout(this.#next, Math.ceil(run.waitMs))
    } else {
      this.#startedMs = nowMs
      if ('alone' in run) this.#startAlone(run.alone)
      else this.#startSteps(run.steps)
    }
  }

  /** A timer would take a millisecond at the least; this takes some microseconds, and lets in what has arrived. */
  #lookAgain(): void {
    if (this.#looksAgain) return
    this.#looksAgain = true
    setImmediate(() => {
      this.#looksAgain = false
      this.#company.turned()
      this.#next()
    })
  }

  #startAlone(workClass: WorkClass): void {
    const start = this.#alone[workClass].shift()
    this.#steppedLast = false
    this.#running = { workClass, interactive: workClass === 'interactive' ? 1 : 0, steps: [] }
    start?.()
  }

  #startSteps(classes: readonly WorkClass[]): void {
    const interactive = this.#steps.interactive.splice(0)
    const batch = classes.includes('batch') ? this.#steps.batch.splice(0) : []
    const steps = [...interactive, ...batch]
    this.#steppedLast = true
    this.#running = {
      workClass: batch.length > 0 ? 'batch' : 'interactive',
      interactive: interactive.length,
      steps
    }
    this.#shared?.start([...steps])
  }
}

function remove<Item>(items: Item[], item: Item): boolean {
  const index = items.indexOf(item)
  if (index !== -1) items.splice(index, 1)
  return index !== -1
}
