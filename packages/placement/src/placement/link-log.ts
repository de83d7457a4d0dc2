import type { Clock } from '@resultity/interface'
import { retryWaitMs } from './retry-wait.ts'

interface LinkFailure {
  readonly peers: readonly [string, string]
  /** What a session or a stage noticed last. */
  readonly why: string
  /** How often in a row. */
  readonly count: number
  readonly untilMs: number
}

/** Two nodes that are not placed beside each other now. */
export interface BannedLink extends Pick<LinkFailure, 'peers' | 'why' | 'count'> {
  /** How long from now. */
  readonly forMs: number
}

/** When a link has worked this long after its last wait, its next failure counts as the first. */
const FORGIVEN_MS = 600_000

/** Above this number the oldest failure is forgotten. */
const LINKS_MAX = 1024

/** Which nodes do not reach each other, and until when they are not placed beside each other. One entry per pair. */
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

  /** The nodes that this one is not to be placed beside now. */
  avoidedBy(peerId: string): ReadonlySet<string> {
    return new Set(
      this.#standing()
        .flatMap(({ peers }) => (peers.includes(peerId) ? peers : []))
        .filter(one => one !== peerId)
    )
  }

  /** A node left; it may come back at another address. */
  forget(peerId: string): void {
    for (const [key, { peers }] of this.#failures) if (peers.includes(peerId)) this.#failures.delete(key)
  }

  /** When the next pair may be placed beside each other again. */
  nextRetryMs(): number | undefined {
    const standing = this.#standing()
    return standing.length === 0 ? undefined : Math.min(...standing.map(({ untilMs }) => untilMs))
  }

  /** The pairs that are kept apart now. */
  list(): BannedLink[] {
    const now = this.#clock.now()
    return this.#standing().map(({ peers, why, count, untilMs }) => ({ peers, why, count, forMs: untilMs - now }))
  }

  #standing(): LinkFailure[] {
    const now = this.#clock.now()
    return [...this.#failures.values()].filter(({ untilMs }) => now < untilMs)
  }
}
