import type { WorkOptions } from '@resultity/interface'
import { MeshError } from '@resultity/interface'
import type { BatchGate } from './batch-gate.ts'
import { RunQueue } from './run-queue.ts'

/**
 * Runs of a model that is served whole take turns: one at a time, those whose work is interactive first, and between two runs of
 * one call others have theirs.
 */
export class CallTurns {
  readonly #queue: RunQueue
  readonly #closing = new AbortController()
  readonly #what: string

  /** @param what is loaded, for errors: `the encoder` */
  constructor(gate: BatchGate, what: string) {
    this.#queue = new RunQueue(gate)
    this.#what = what
  }

  get closed(): boolean {
    return this.#closing.signal.aborted
  }

  /** Aborts when the caller's own does, or when all is closed. */
  signalOf({ signal }: WorkOptions): AbortSignal {
    return AbortSignal.any([...(signal === undefined ? [] : [signal]), this.#closing.signal])
  }

  /**
   * What `run` gives when it is its turn.
   *
   * @param signal of {@link signalOf}
   * @throws its reason; what `run` throws
   */
  async take<Result>(
    run: () => Promise<Result>,
    signal: AbortSignal,
    workClass: WorkOptions['workClass']
  ): Promise<Result> {
    await this.#enter(signal, workClass)
    try {
      signal.throwIfAborted()
      return await run()
    } finally {
      this.#queue.leave()
    }
  }

  /** Breaks all calls off with `unavailable`. Resolves once the last run is over. */
  async close(): Promise<void> {
    this.#closing.abort(new MeshError('unavailable', `${this.#what} is closed`))
    await this.#queue.idle()
  }

  #enter(signal: AbortSignal, workClass: WorkOptions['workClass']): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = (): void => {
      if (this.#queue.withdraw(start)) reject(signal.reason)
    }
    const start = (): void => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }
    if (signal.aborted) reject(signal.reason)
    else {
      signal.addEventListener('abort', onAbort, { once: true })
      this.#queue.enter(start, workClass)
    }
    return promise
  }
}
