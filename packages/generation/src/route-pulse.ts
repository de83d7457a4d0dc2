import { LOOKS_PER_ANSWER, SilenceWatch, type SilenceWatchInit } from './silence-watch.ts'

export interface RoutePulseInit extends SilenceWatchInit {
  /** Asks every stage whether it is there. */
  probe(nonce: number): void
  /** These stages are not. @returns false when the route has to wait for them all the same */
  gone(stages: readonly number[]): boolean
}

/** Gives a {@link SilenceWatch} its sense of time, until it is disposed of. */
export class RoutePulse implements Disposable {
  readonly #watch: SilenceWatch
  readonly #timer: NodeJS.Timeout

  constructor(init: RoutePulseInit) {
    this.#watch = new SilenceWatch(init, performance.now())
    this.#timer = setInterval(() => this.#look(init), init.answerMs / LOOKS_PER_ANSWER)
  }

  heard(): void {
    this.#watch.heard(performance.now())
  }

  answered(stageIndex: number, nonce: number): void {
    this.#watch.answered(stageIndex, nonce, performance.now())
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #look(init: RoutePulseInit): void {
    const now = performance.now()
    const step = this.#watch.look(now)
    if (step?.type === 'probe') init.probe(step.nonce)
    if (step?.type === 'gone' && !init.gone(step.stages)) this.#watch.waitOn(now)
  }
}
