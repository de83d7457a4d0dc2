/**
 * Serves one run at a time, in the order of arrival. Callbacks and no promises: the path of every token goes through.
 *
 * A session waits with one run at most, so the queue is no longer than the stage has slots.
 */
export class RunQueue {
  readonly #waiting: (() => void)[] = []
  readonly #idle: (() => void)[] = []
  #busy = false

  /** Calls `start` when it is its turn, at once if nothing runs. Whoever was started calls {@link leave} once. */
  enter(start: () => void): void {
    if (this.#busy) {
      this.#waiting.push(start)
      return
    }
    this.#busy = true
    start()
  }

  /** Takes back a `start` that waits. False when it is not waiting, because it has been called. */
  withdraw(start: () => void): boolean {
    const index = this.#waiting.indexOf(start)
    if (index === -1) return false
    this.#waiting.splice(index, 1)
    return true
  }

  /** The run that was started is over: the next may start. */
  leave(): void {
    const next = this.#waiting.shift()
    if (next !== undefined) {
      next()
      return
    }
    this.#busy = false
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Resolves once nothing runs or waits. */
  idle(): Promise<void> {
    if (!this.#busy) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#idle.push(resolve)
    return promise
  }
}
