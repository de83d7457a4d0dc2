import { type Clock, MeshError } from '@resultity/interface'
import { LRUCache } from 'lru-cache'

export interface FailedAttemptsInit {
  /** Keys that were none, from one address in a window. */
  readonly failedKeysMax: number
  readonly failedKeysWindowMs: number
  /** Addresses remembered. */
  readonly failedAddressesMax: number
}

/** Counts, by address, keys that were none. Windows are fixed and begin with the first of them. */
export class FailedAttempts {
  readonly #init: FailedAttemptsInit
  readonly #clock: Clock
  readonly #counts: LRUCache<string, { count: number; readonly untilMs: number }>

  constructor(clock: Clock, init: FailedAttemptsInit) {
    this.#init = init
    this.#clock = clock
    this.#counts = new LRUCache({ max: init.failedAddressesMax })
  }

  /** Whether this address has had its share. */
  isOver(address: string): boolean {
    return (this.#current(address)?.count ?? 0) >= this.#init.failedKeysMax
  }

  add(address: string): void {
    const current = this.#current(address)
    if (current !== undefined) current.count += 1
    else this.#counts.set(address, { count: 1, untilMs: this.#clock.now() + this.#init.failedKeysWindowMs })
  }

  /** The refusal. It is the same whether the key exists or not. */
  refusal(address: string): MeshError {
    const leftMs = Math.max(1, (this.#current(address)?.untilMs ?? 0) - this.#clock.now())
    return new MeshError('rate_limited', 'too many API keys from this address were none', {
      hint: 'Check the key, and try again later.',
      details: { retryAfterMs: leftMs }
    })
  }

  #current(address: string) {
    const entry = this.#counts.get(address)
    return entry !== undefined && this.#clock.now() < entry.untilMs ? entry : undefined
  }
}
