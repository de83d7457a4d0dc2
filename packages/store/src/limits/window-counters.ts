import { CompiledQuery, type Kysely } from 'kysely'
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterPostgres } from 'rate-limiter-flexible'
import type { StoreDatabase } from '../database/database.ts'
import type { Tables } from '../database/tables.ts'

/** How much was counted in a window, and when that ends. */
export interface CounterReading {
  readonly used: number
  /** Unix milliseconds. */
  readonly endsAtMs: number
}

/**
 * Counters that begin anew when their window of time is over. One coordinator has them in memory; several that share a
 * database count together.
 */
export interface WindowCounters {
  /** Adds to what was counted; less than nothing takes away. Begins a window when none is under way. */
  add(name: string, points: number, windowMs: number): Promise<CounterReading>
  /** Undefined when no window is under way. */
  read(name: string): Promise<CounterReading | undefined>
  /** Removes what is over. */
  prune(): Promise<void>
}

/** Counters of the database's coordinators. */
export function windowCounters(database: StoreDatabase): WindowCounters {
  // what is allowed is decided by whoever counts, so the limiter's own limit plays no part
  const options = { keyPrefix: '', points: Number.MAX_SAFE_INTEGER, duration: 0 }
  if (database.dialect === 'sqlite') return new LimiterCounters(new RateLimiterMemory(options), async () => {})
  const { kysely } = database
  const limiter = new RateLimiterPostgres({
    ...options,
    storeClient: { query: (query: NamedQuery) => run(kysely, query) },
    storeType: 'pool',
    tableName: 'rate_limit',
    tableCreated: true,
    clearExpiredByTimeout: false
  })
  return new LimiterCounters(limiter, async () => {
    await kysely.deleteFrom('rate_limit').where('expire', '<', Date.now()).execute()
  })
}

interface NamedQuery {
  readonly text: string
  readonly values: readonly unknown[]
}

/** A query as `pg` takes it, on our own connections. */
async function run(kysely: Kysely<Tables>, { text, values }: NamedQuery) {
  const { rows } = await kysely.executeQuery(CompiledQuery.raw(text, [...values]))
  return { rows, rowCount: rows.length }
}

class LimiterCounters implements WindowCounters {
  readonly #limiter: RateLimiterAbstract
  readonly #prune: () => Promise<void>

  constructor(limiter: RateLimiterAbstract, prune: () => Promise<void>) {
    this.#limiter = limiter
    this.#prune = prune
  }

  async add(name: string, points: number, windowMs: number): Promise<CounterReading> {
    const options = { customDuration: windowMs / 1000 }
    const reading =
      points < 0
        ? await this.#limiter.reward(name, -points, options)
        : await this.#limiter.penalty(name, points, options)
    return { used: reading.consumedPoints, endsAtMs: Date.now() + reading.msBeforeNext }
  }

  async read(name: string): Promise<CounterReading | undefined> {
    const reading = await this.#limiter.get(name)
    if (reading === null || reading.msBeforeNext <= 0) return undefined
    return { used: reading.consumedPoints, endsAtMs: Date.now() + reading.msBeforeNext }
  }

  prune(): Promise<void> {
    return this.#prune()
  }
}
