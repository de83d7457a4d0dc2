import type { Clock, MeshError } from '@resultity/interface'
import { retryWaitMs } from './retry-wait.ts'

interface Failure {
  readonly peerId: string
  readonly manifestSha256: string
  readonly count: number
  readonly retryAtMs: number
  readonly error: MeshError | undefined
}

/** Which node failed to serve which model, and until when it is not asked again. One entry per pair. */
export class FailureLog {
  readonly #failures = new Map<string, Failure>()
  readonly #clock: Clock
  readonly #retryMs: number

  constructor(clock: Clock, retryMs: number) {
    this.#clock = clock
    this.#retryMs = retryMs
  }

  add(peerId: string, manifestSha256: string, error: MeshError | undefined): void {
    const key = `${peerId} ${manifestSha256}`
    const count = (this.#failures.get(key)?.count ?? 0) + 1
    const retryAtMs = this.#clock.now() + retryWaitMs(this.#retryMs, count)
    // the latest stands last
    this.#failures.delete(key)
    this.#failures.set(key, { peerId, manifestSha256, count, retryAtMs, error })
  }

  excludes(peerId: string, manifestSha256: string): boolean {
    const failure = this.#failures.get(`${peerId} ${manifestSha256}`)
    return failure !== undefined && this.#clock.now() < failure.retryAtMs
  }

  /** A node went, or (with a model) served it after all. */
  forget(peerId: string, manifestSha256?: string): void {
    for (const [key, failure] of this.#failures) {
      const same = manifestSha256 === undefined || failure.manifestSha256 === manifestSha256
      if (failure.peerId === peerId && same) this.#failures.delete(key)
    }
  }

  /** The latest failure that still keeps a node from serving the model, for the error that a client sees. */
  latest(manifestSha256: string): MeshError | undefined {
    const now = this.#clock.now()
    const waiting = [...this.#failures.values()].filter(
      failure => failure.manifestSha256 === manifestSha256 && failure.retryAtMs > now
    )
    return waiting.at(-1)?.error
  }

  /** When the next excluded node may be asked again. */
  nextRetryMs(): number | undefined {
    const now = this.#clock.now()
    const waiting = [...this.#failures.values()].filter(failure => failure.retryAtMs > now)
    return waiting.length === 0 ? undefined : Math.min(...waiting.map(failure => failure.retryAtMs))
  }
}
