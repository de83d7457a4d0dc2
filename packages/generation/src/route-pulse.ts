import { type Scheduler, systemScheduler, type Timer } from '@resultity/interface'
import { LOOKS_PER_ANSWER, SilenceWatch, type SilenceWatchInit } from './silence-watch.ts'

export interface RoutePulseInit extends SilenceWatchInit {
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
  /** Asks every stage whether it is there. */
  probe(nonce: number): void
  /** These stages are not. @returns false when the route has to wait for them all the same */
  gone(stages: readonly number[]): boolean
}

/** Gives a {@link SilenceWatch} its sense of time, until it is disposed of. */
export class RoutePulse implements Disposable {
  readonly #watch: SilenceWatch
  readonly #scheduler: Scheduler
  readonly #timer: Timer

  constructor(init: RoutePulseInit) {
    this.#scheduler = init.scheduler ?? systemScheduler
    this.#watch = new SilenceWatch(init, this.#scheduler.monotonic())
    this.#timer = this.#scheduler.setInterval(() => this.#look(init), init.answerMs / LOOKS_PER_ANSWER)
  }

  heard(): void {
    this.#watch.heard(this.#scheduler.monotonic())
  }

  answered(stageIndex: number, nonce: number): void {
    this.#watch.answered(stageIndex, nonce, this.#scheduler.monotonic())
  }

  [Symbol.dispose](): void {
    this.#scheduler.clear(this.#timer)
  }

  #look(init: RoutePulseInit): void {
    const now = this.#scheduler.monotonic()
    const step = this.#watch.look(now)
    if (step?.type === 'probe') init.probe(step.nonce)
    if (step?.type === 'gone' && !init.gone(step.stages)) this.#watch.waitOn(now)
  }
}
