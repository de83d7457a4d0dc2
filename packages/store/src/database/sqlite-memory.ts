import { type Scheduler, steadyClockOf } from '@resultity/interface'
import SqliteDatabase, { type Database } from 'better-sqlite3'
import { createJobOperations } from '../jobs/sqlite-job-operations.ts'
import type { SqliteConnection } from './sqlite-connection.ts'
import {
  errorOf,
  type SqliteReply,
  type SqliteRequest,
  type SqliteResult,
  type SqliteValue
} from './sqlite-messages.ts'
import { SqliteSession } from './sqlite-session.ts'

/** Holds a SQLite database in memory. What was committed outlives those who open it, as a disk outlives processes. */
export class MemoryDisk {
  readonly database: Database = new SqliteDatabase(':memory:')

  constructor() {
    this.database.pragma('foreign_keys = ON')
  }
}

export interface MemoryInit {
  readonly disk: MemoryDisk
  /** Whose time it takes. */
  readonly scheduler: Scheduler
  /** How long a request, and its answer, is on the way; asked for each. */
  latencyMs(): number
}

type Omitted<T> = T extends unknown ? Omit<T, 'id'> : never

/**
 * A SQLite database without a file and without a thread: for a simulation, in which nothing may wait for the real world. Who
 * opens it after a process that ended finds what that had committed.
 */
export class MemorySqlite implements SqliteConnection {
  readonly #init: MemoryInit
  readonly #session: SqliteSession
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>()
  #nextId = 1
  #nextTransaction = 1
  /** When the last request arrives, and the last answer: none overtakes another. */
  readonly #lastArrivals = { request: 0, reply: 0 }

  constructor(init: MemoryInit) {
    const { scheduler, disk } = init
    this.#init = init
    // a transaction ends with its process
    if (disk.database.inTransaction) disk.database.exec('ROLLBACK')
    const clocks = { wall: scheduler, steady: steadyClockOf(scheduler) }
    this.#session = new SqliteSession(
      disk.database,
      { ...createJobOperations(disk.database, clocks) },
      replies => this.#answer(replies),
      undefined,
      scheduler
    )
  }

  async query(sql: string, parameters: readonly SqliteValue[], transaction = 0): Promise<SqliteResult> {
    return (await this.#ask({ type: 'query', sql, parameters, transaction })) as SqliteResult
  }

  call(name: string, input: unknown): Promise<unknown> {
    return this.#ask({ type: 'call', name, input, transaction: 0 })
  }

  async begin(): Promise<number> {
    const transaction = this.#nextTransaction++
    await this.#ask({ type: 'begin', transaction })
    return transaction
  }

  async end(transaction: number, how: 'commit' | 'rollback'): Promise<void> {
    await this.#ask({ type: how, transaction })
  }

  /** The disk stays. */
  async [Symbol.asyncDispose](): Promise<void> {}

  #ask(request: Omitted<SqliteRequest>): Promise<unknown> {
    const id = this.#nextId++
    const waiter = Promise.withResolvers<unknown>()
    this.#pending.set(id, waiter)
    this.#later('request', () => this.#answer(this.#session.handle([{ ...request, id }])))
    return waiter.promise
  }

  #answer(replies: readonly SqliteReply[]): void {
    this.#later('reply', () => {
      for (const reply of replies) {
        const waiter = this.#pending.get(reply.id)
        this.#pending.delete(reply.id)
        if ('failure' in reply) waiter?.reject(errorOf(reply.failure))
        else waiter?.resolve(reply.value)
      }
    })
  }

  #later(way: 'request' | 'reply', run: () => void): void {
    const { scheduler, latencyMs } = this.#init
    const now = scheduler.monotonic()
    const arrivesMs = Math.max(now + latencyMs(), this.#lastArrivals[way])
    this.#lastArrivals[way] = arrivesMs
    scheduler.setTimeout(run, arrivesMs - now)
  }
}
