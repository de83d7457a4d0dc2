import { type Clock, cacheWeight, MeshError } from '@resultity/interface'
import type { ApiKey, KeyStore } from '@resultity/store'
import { LRUCache } from 'lru-cache'

export interface KeyLookupInit {
  /** How long an answer of the store stays in the cache. */
  readonly keyCacheMs: number
  /** Keys kept in memory. The same number of unknown ids is kept. */
  readonly keysCachedMax: number
  /** Parallel look-ups in the store for ids without a valid secret so far. */
  readonly keyLookupsMax: number
}

/** Keys that are remembered, in bytes: clients decide their size. The least used is forgotten first. */
const KEY_CACHE_BYTES = 16 * 1024 * 1024

/**
 * Finds keys in the store and caches its answers for a short time. Known keys and unknown ids are cached in the same
 * way, but apart, so that invented ids never push out keys.
 */
export class KeyLookup {
  readonly #store: KeyStore
  readonly #lookupsMax: number
  readonly #found: LRUCache<string, ApiKey>
  readonly #missing: LRUCache<string, true>
  readonly #pending = new Map<string, Promise<ApiKey | undefined>>()

  constructor(store: KeyStore, clock: Clock, init: KeyLookupInit) {
    const bounds = { max: init.keysCachedMax, ttl: init.keyCacheMs, ttlResolution: 0, perf: clock }
    this.#store = store
    this.#lookupsMax = init.keyLookupsMax
    this.#found = new LRUCache<string, ApiKey>({ ...bounds, maxSize: KEY_CACHE_BYTES, sizeCalculation: cacheWeight })
    this.#missing = new LRUCache(bounds)
  }

  /**
   * @param trusted whether its secret was shown here before: such an id is always looked up
   * @throws MeshError `resource_exhausted` when too many others are being looked up
   */
  async find(id: string, trusted: boolean): Promise<ApiKey | undefined> {
    const known = this.#found.get(id)
    if (known !== undefined || this.#missing.has(id)) return known
    const pending = this.#pending.get(id)
    if (pending !== undefined) return pending
    if (!trusted && this.#pending.size >= this.#lookupsMax) {
      throw new MeshError('resource_exhausted', `${this.#lookupsMax} API keys are being looked up already`, {
        hint: 'Try again in a second.'
      })
    }
    const asking = this.#store.find(id)
    this.#pending.set(id, asking)
    return this.#keep(id, asking)
  }

  /** The next answer of the store counts, also that of a look-up in progress. */
  forget(id: string): void {
    this.#found.delete(id)
    this.#missing.delete(id)
    this.#pending.delete(id)
  }

  async #keep(id: string, asking: Promise<ApiKey | undefined>): Promise<ApiKey | undefined> {
    try {
      const key = await asking
      // forgotten since: this answer may be older than the change
      if (this.#pending.get(id) !== asking) return key
      if (key === undefined) this.#missing.set(id, true)
      else this.#found.set(id, key)
      return key
    } finally {
      if (this.#pending.get(id) === asking) this.#pending.delete(id)
    }
  }
}
