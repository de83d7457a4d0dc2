import { type Clock, steadyClock } from '@resultity/interface'
import { sql } from 'kysely'
import type { PostgresStoreDatabase, StoreDatabase } from '../database/database.ts'
import { serverNow } from '../jobs/postgres-transactions.ts'

/** How much was counted in a window, and when that ends. */
export interface CounterReading {
  readonly used: number
  /** Unix milliseconds, by the clock that the counters were made with. */
  readonly endsAtMs: number
}

/**
 * Counters that begin anew when their window of time is over. One coordinator has them in memory; several that share a
 * database count together. A wall clock that is set neither ends a window nor makes it longer.
 */
export interface WindowCounters {
  /** Adds points to a window; negative points are subtracted. Starts a window when there is none. */
  add(name: string, points: number, windowMs: number): Promise<CounterReading>
  /** Undefined when there is no current window. */
  read(name: string): Promise<CounterReading | undefined>
  /** Removes windows that are over. */
  prune(): Promise<void>
}

/**
 * Counters of the database's coordinators.
 * @param clock one that does not jump
 */
export function windowCounters(database: StoreDatabase, clock: Clock = steadyClock): WindowCounters {
  return database.dialect === 'sqlite' ? new MemoryCounters(clock) : new PostgresCounters(database, clock)
}

class MemoryCounters implements WindowCounters {
  readonly #clock: Clock
  readonly #windows = new Map<string, CounterReading>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async add(name: string, points: number, windowMs: number): Promise<CounterReading> {
    const { used, endsAtMs } = this.#current(name) ?? { used: 0, endsAtMs: this.#clock.now() + windowMs }
    const reading = { used: used + points, endsAtMs }
    this.#windows.set(name, reading)
    return reading
  }

  async read(name: string): Promise<CounterReading | undefined> {
    return this.#current(name)
  }

  async prune(): Promise<void> {
    for (const name of this.#windows.keys()) if (this.#current(name) === undefined) this.#windows.delete(name)
  }

  #current(name: string): CounterReading | undefined {
    const window = this.#windows.get(name)
    return window === undefined || window.endsAtMs <= this.#clock.now() ? undefined : window
  }
}

interface Row {
  readonly used: number
  readonly left_ms: number
}

/** No window is longer: one that seems to be began before the server's clock was set back. */
const WINDOW_MS_MAX = 24 * 60 * 60_000

/** Judged by the server's clock. */
class PostgresCounters implements WindowCounters {
  readonly #database: PostgresStoreDatabase
  readonly #clock: Clock

  constructor(database: PostgresStoreDatabase, clock: Clock) {
    this.#database = database
    this.#clock = clock
  }

  async add(name: string, points: number, windowMs: number): Promise<CounterReading> {
    const now = sql.raw(serverNow)
    const length = Math.ceil(windowMs)
    // no current window ends later than one that begins now
    const { rows } = await sql<Row>`
      with moment as materialized (select ${now} as ms)
      insert into rate_limit as old (key, points, expire) select ${name}, ${points}, ms + ${length}::bigint from moment
      on conflict (key) do update set
        points = case when old.expire between ${now} + 1 and excluded.expire
          then old.points + excluded.points else excluded.points end,
        expire = case when old.expire between ${now} + 1 and excluded.expire then old.expire else excluded.expire end
      returning points as used, expire - ${now} as left_ms`.execute(this.#database.kysely)
    return this.#toReading(rows[0] ?? { used: points, left_ms: length })
  }

  async read(name: string): Promise<CounterReading | undefined> {
    const now = sql.raw(serverNow)
    const { rows } = await sql<Row>`
      select points as used, expire - ${now} as left_ms from rate_limit
      where key = ${name} and expire > ${now} and expire <= ${now} + ${WINDOW_MS_MAX}`.execute(this.#database.kysely)
    const [row] = rows
    return row === undefined ? undefined : this.#toReading(row)
  }

  async prune(): Promise<void> {
    const now = sql.raw(serverNow)
    await sql`delete from rate_limit where expire < ${now} or expire > ${now} + ${WINDOW_MS_MAX}`.execute(
      this.#database.kysely
    )
  }

  #toReading({ used, left_ms: leftMs }: Row): CounterReading {
    return { used, endsAtMs: this.#clock.now() + leftMs }
  }
}
