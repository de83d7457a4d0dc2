/** The terminal, npm and a wrapper may each pass on one and the same Ctrl-C; only a later one is a second wish. */
const REPEAT_AFTER_MS = 1000

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const

/**
 * Aborts when the process is asked to stop: by a signal, or by the end of the IPC channel of the process that started
 * it, which is how a daemon notices that its parent was killed. A second signal ends the process at once.
 */
export class StopSignal implements Disposable {
  readonly #controller = new AbortController()
  #firstAtMs: number | undefined

  constructor() {
    for (const name of this.#names) process.on(name, this.#onSignal)
    if (process.connected) process.once('disconnect', this.#onDisconnect)
  }

  /** Aborts once. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Resolves once the process is asked to stop. */
  async wait(): Promise<void> {
    if (this.signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.signal.addEventListener('abort', () => resolve(), { once: true })
    await promise
  }

  [Symbol.dispose](): void {
    for (const name of this.#names) process.off(name, this.#onSignal)
    process.off('disconnect', this.#onDisconnect)
  }

  get #names(): (keyof typeof SIGNALS)[] {
    return ['SIGHUP', 'SIGINT', 'SIGTERM']
  }

  readonly #onSignal = (name: NodeJS.Signals): void => {
    const now = performance.now()
    if (this.#firstAtMs === undefined) {
      this.#firstAtMs = now
      this.#controller.abort()
    } else if (now - this.#firstAtMs >= REPEAT_AFTER_MS) {
      process.exit(128 + (name === 'SIGHUP' || name === 'SIGINT' ? SIGNALS[name] : SIGNALS.SIGTERM))
    }
  }

  readonly #onDisconnect = (): void => this.#controller.abort()
}
