/** The terminal, npm and a wrapper may each pass on one and the same Ctrl-C; only a later one is a second wish. */
const REPEAT_AFTER_MS = 1000

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const

/** Asks to stop like the others, and may come again: it never ends a daemon that is stopping. "resultity node drain" sends it. */
export const STOP_GENTLY = 'SIGUSR2'

/**
 * Aborts when the process is asked to stop: by a signal, or by the end of the IPC channel of the process that started
 * it, which is how a daemon notices that its parent was killed. A second signal ends the process at once, unless it is
 * {@link STOP_GENTLY}.
 */
export class StopSignal implements Disposable {
  readonly #controller = new AbortController()
  #firstAtMs: number | undefined
  #orphaned = false

  constructor() {
    for (const name of this.#names) process.on(name, this.#onSignal)
    process.on(STOP_GENTLY, this.#onGentle)
    if (process.connected) process.once('disconnect', this.#onDisconnect)
  }

  /** Aborts once. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Whether it stops because its parent has gone, which was killed perhaps. */
  get orphaned(): boolean {
    return this.#orphaned
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
    process.off(STOP_GENTLY, this.#onGentle)
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

  readonly #onGentle = (): void => this.#controller.abort()

  readonly #onDisconnect = (): void => {
    this.#orphaned = true
    this.#controller.abort()
  }
}
