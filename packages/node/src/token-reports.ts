import { type Scheduler, systemScheduler, type Timer } from '@resultity/interface'
import type { Sampled } from '@resultity/wire'

/**
 * The coordinator hears of a token that late at the least, unless it is urgent: by then the token has left for the first
 * stage, which waits for it, and this process has given up its core, which the first stage may need to read it.
 */
const DELAY_MS = 1

/** Reports that are held, whatever time they have: no more than are read in one turn of a coordinator's event loop. */
const HELD_MAX = 256

export interface TokenReportsInit {
  /** How late a report may come, with others that came meanwhile; 0: each as soon as is good for the ring. */
  readonly withinMs: number
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
  /** At least one, in order. */
  send(reports: readonly Sampled[]): void
}

/** What the coordinator is told of sampled tokens, and when: it only watches, and reading it takes a core from the ring. */
export class TokenReports implements Disposable {
  readonly #init: TokenReportsInit
  #held: Sampled[] = []
  readonly #scheduler: Scheduler
  #timer: Timer | undefined

  constructor(init: TokenReportsInit) {
    this.#init = init
    this.#scheduler = init.scheduler ?? systemScheduler
  }

  add(report: Sampled): void {
    const count = this.#held.push(report)
    if (count === 1) {
      this.#timer = this.#scheduler.setTimeout(() => this.flush(), Math.max(DELAY_MS, this.#init.withinMs))
    }
    if (count === HELD_MAX) this.flush()
  }

  /** Sends what is held. */
  flush(): void {
    const reports = this.#held
    if (reports.length === 0) return
    this.#scheduler.clear(this.#timer)
    this.#held = []
    this.#init.send(reports)
  }

  /** What is held is never sent. */
  [Symbol.dispose](): void {
    this.#scheduler.clear(this.#timer)
    this.#held = []
  }
}
