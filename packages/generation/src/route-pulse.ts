import { type Scheduler, systemScheduler, type Timer } from '@resultity/interface'
import { LOOKS_PER_ANSWER, type SilenceStep, SilenceWatch, type SilenceWatchInit } from './silence-watch.ts'

export interface RoutePulseInit extends SilenceWatchInit {
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
  /** Asks every stage whether it is there. */
  probe(nonce: number): void
  /** These stages are not there. @returns false when the route has to wait for them all the same */
  gone(stages: readonly number[]): boolean
  /** Nothing passes between these two. @returns false when the route has to wait all the same */
  linkSilent(from: number, to: number): boolean
}

/** Gives a {@link SilenceWatch} its sense of time, until it is disposed of. */
export class RoutePulse implements Disposable {
  readonly #init: RoutePulseInit
  readonly #watch: SilenceWatch
  readonly #scheduler: Scheduler
  #timer: Timer | undefined

  constructor(init: RoutePulseInit) {
    this.#init = init
    this.#scheduler = init.scheduler ?? systemScheduler
    this.#watch = new SilenceWatch(init, this.#scheduler.monotonic())
  }

  /** The route is open: from now on this looks whether it says anything. */
  begin(): void {
    this.#watch.begin(this.#scheduler.monotonic())
    this.#timer = this.#scheduler.setInterval(() => this.#look(), this.#init.answerMs / LOOKS_PER_ANSWER)
  }

  heard(): void {
    this.#watch.heard(this.#scheduler.monotonic())
  }

  answered(stageIndex: number, nonce: number): void {
    this.#watch.answered(stageIndex, nonce, this.#scheduler.monotonic())
  }

  /** A stage reports that it hears nothing from the next one. */
  linkReported(from: number, to: number): void {
    this.#act(this.#watch.linkReported(from, to, this.#scheduler.monotonic()))
  }

  [Symbol.dispose](): void {
    this.#scheduler.clear(this.#timer)
  }

  #look(): void {
    this.#act(this.#watch.look(this.#scheduler.monotonic()))
  }

  #act(step: SilenceStep | undefined): void {
    const now = this.#scheduler.monotonic()
    if (step?.type === 'probe') this.#init.probe(step.nonce)
    if (step?.type === 'gone' && !this.#init.gone(step.stages)) this.#watch.waitOn(now)
    if (step?.type === 'link' && !this.#init.linkSilent(step.from, step.to)) this.#watch.waitOnLink(now)
  }
}
