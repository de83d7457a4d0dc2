import { type Scheduler, systemScheduler, type Timer } from '@resultity/interface'
import type { Sampled } from '@resultity/wire'

/**
 * The least delay before the coordinator receives a token, unless it is urgent. By then the token has left for the
 * first stage, which waits for it, and this process has released its core, which the first stage may need to read it.
 */
const DELAY_MS = 1

/** Most reports held back, whatever their delay: as many as a coordinator reads in one turn of its event loop. */
const HELD_MAX = 256

export interface TokenReportsInit {
  /** How late a report may be sent, together with later ones. 0: each as soon as it does not slow the ring. */
  readonly withinMs: number
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
  /** At least one, in order. */
  send(reports: readonly Sampled[]): void
}

/**
 * Decides when the coordinator receives sampled tokens. It only watches, and reading a report takes a core from the
 * ring.
 */
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

  /** Sends the reports that are held back. */
  flush(): void {
    const reports = this.#held
    if (reports.length === 0) return
    this.#scheduler.clear(this.#timer)
    this.#held = []
    this.#init.send(reports)
  }

  /** Drops the reports that are held back. */
  [Symbol.dispose](): void {
    this.#scheduler.clear(this.#timer)
    this.#held = []
  }
}
