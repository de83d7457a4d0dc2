import type { Clock } from '@resultity/interface'
import { retryWaitMs } from './retry-wait.ts'

interface LinkFailure {
  readonly peers: readonly [string, string]
  /** What was noticed last. */
  readonly why: string
  /** So often in a row. */
  readonly count: number
  readonly untilMs: number
}

/** Two nodes that are not put beside each other. */
export interface BannedLink extends Pick<LinkFailure, 'peers' | 'why' | 'count'> {
  /** For so long from now. */
  readonly forMs: number
}

/** A link that carried that long after its last failure's wait begins anew. */
const FORGIVEN_MS = 600_000

/** Of more than these the oldest is forgotten. */
const LINKS_MAX = 1024

/** Which two nodes do not reach each other, and until when they are not put beside each other. One entry per pair. */
export class LinkLog {
  readonly #failures = new Map<string, LinkFailure>()
  readonly #clock: Clock
  readonly #retryMs: number

  constructor(clock: Clock, retryMs: number) {
    this.#clock = clock
    this.#retryMs = retryMs
  }

  /** Nothing passed between two nodes. */
  add(one: string, other: string, why = ''): void {
    const peers: [string, string] = one < other ? [one, other] : [other, one]
    const key = peers.join(' ')
    const before = this.#failures.get(key)
    const now = this.#clock.now()
    const count = before === undefined || now > before.untilMs + FORGIVEN_MS ? 1 : before.count + 1
    const untilMs = now + retryWaitMs(this.#retryMs, count)
    // the latest stands last
    this.#failures.delete(key)
    this.#failures.set(key, { peers, why, count, untilMs })
    const [oldest] = this.#failures.keys()
    if (this.#failures.size > LINKS_MAX && oldest !== undefined) this.#failures.delete(oldest)
  }

  /** Nodes that this one is not to be beside now. */
  avoidedBy(peerId: string): ReadonlySet<string> {
    return new Set(
      this.#standing()
        .flatMap(({ peers }) => (peers.includes(peerId) ? peers : []))
        .filter(one => one !== peerId)
    )
  }

  /** A node went; it may come back elsewhere. */
  forget(peerId: string): void {
    for (const [key, { peers }] of this.#failures) if (peers.includes(peerId)) this.#failures.delete(key)
  }

  /** When the next two may be beside each other again. */
  nextRetryMs(): number | undefined {
    const standing = this.#standing()
    return standing.length === 0 ? undefined : Math.min(...standing.map(({ untilMs }) => untilMs))
  }

  /** Those that hold now. */
  list(): BannedLink[] {
    const now = this.#clock.now()
    return this.#standing().map(({ peers, why, count, untilMs }) => ({ peers, why, count, forMs: untilMs - now }))
  }

  #standing(): LinkFailure[] {
    const now = this.#clock.now()
    return [...this.#failures.values()].filter(({ untilMs }) => now < untilMs)
  }
}
