import { type Scheduler, systemScheduler, type Timer } from '@resultity/interface'
import type { Logger } from 'pino'

export interface Chore {
  /** For the log: "removing old deliveries". */
  readonly name: string
  run(): Promise<unknown>
}

/** Does chores at intervals, one after the other, until disposed. A chore that fails is tried again the next time. */
export class Upkeep implements AsyncDisposable {
  readonly #chores: readonly Chore[]
  readonly #logger: Logger
  readonly #scheduler: Scheduler
  readonly #timer: Timer
  #running: Promise<void> = Promise.resolve()
  #busy = false

  constructor(chores: readonly Chore[], logger: Logger, intervalMs: number, scheduler: Scheduler = systemScheduler) {
    this.#scheduler = scheduler
    this.#chores = chores
    this.#logger = logger
    this.#timer = scheduler.setInterval(() => this.tick(), intervalMs)
    // chores are no reason for the process to stay
    this.#timer.unref()
  }

  /** Begins a round unless one is in progress. */
  tick(): void {
    if (this.#busy) return
    this.#busy = true
    this.#running = this.#round().finally(() => {
      this.#busy = false
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#scheduler.clear(this.#timer)
    await this.#running
  }

  async #round(): Promise<void> {
    for (const { name, run } of this.#chores) {
      try {
        await run()
      } catch (error) {
        this.#logger.warn({ err: error }, `${name} failed`)
      }
    }
  }
}
