import { Worker } from 'node:worker_threads'
import { MeshError } from '@resultity/interface'
import type { SqliteConnection } from './sqlite-connection.ts'
import type { SqliteFileInit } from './sqlite-file.ts'
import {
  errorOf,
  type SqliteReplies,
  type SqliteRequest,
  type SqliteResult,
  type SqliteValue
} from './sqlite-messages.ts'

/** Requests in one message: a commit of some milliseconds. */
const BATCH_MAX = 1024

/** While the thread works on one batch the next is on its way, so that it never waits for this side. */
const BATCHES_UNDER_WAY = 2

/** Requests that may wait for the thread; more come only when the disk has stopped. */
const REQUESTS_MAX = 100_000

type Omitted<T> = T extends unknown ? Omit<T, 'id'> : never

/** The database's thread, as the event loop sees it: requests of one tick travel, and are committed, together. */
export class SqliteThread implements SqliteConnection {
  readonly #worker: Worker
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>()
  #outbox: SqliteRequest[] = []
  #underWay = 0
  #scheduled = false
  #nextId = 1
  #nextTransaction = 1
  #ended: MeshError | undefined

  private constructor(init: SqliteFileInit) {
    this.#worker = new Worker(new URL('./sqlite-worker.js', import.meta.url), { workerData: init })
    this.#worker.on('message', (message: SqliteReplies) => this.#onReplies(message))
    this.#worker.on('error', error => this.#fail(MeshError.from(error)))
    this.#worker.on('exit', () => this.#fail(closedError()))
  }

  /** @throws MeshError `unavailable` when the file cannot be opened */
  static async open(init: SqliteFileInit): Promise<SqliteThread> {
    const thread = new SqliteThread(init)
    const opened = Promise.withResolvers<unknown>()
    thread.#pending.set(0, opened)
    try {
      await opened.promise
      return thread
    } catch (error) {
      await thread.#worker.terminate()
      throw error
    }
  }

  async query(sql: string, parameters: readonly SqliteValue[], transaction = 0): Promise<SqliteResult> {
    const result = await this.#ask({ type: 'query', sql, parameters, transaction })
    return result as SqliteResult
  }

  call(name: string, input: unknown): Promise<unknown> {
    return this.#ask({ type: 'call', name, input, transaction: 0 })
  }

  async begin(): Promise<number> {
    const transaction = this.#nextTransaction
    this.#nextTransaction += 1
    await this.#ask({ type: 'begin', transaction })
    return transaction
  }

  async end(transaction: number, how: 'commit' | 'rollback'): Promise<void> {
    await this.#ask({ type: how, transaction })
  }

  /** Finishes earlier requests, then closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended !== undefined) return
    const closing = this.#ask({ type: 'close', transaction: 0 })
    this.#ended = closedError()
    await closing
    await this.#worker.terminate()
  }

  #ask(request: Omitted<SqliteRequest>): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    if (this.#pending.size >= REQUESTS_MAX) {
      return Promise.reject(
        new MeshError('resource_exhausted', `${REQUESTS_MAX} requests wait for the database`, {
          hint: "look at the disk of the data directory; it doesn't keep up"
        })
      )
    }
    const id = this.#nextId
    this.#nextId += 1
    const waiter = Promise.withResolvers<unknown>()
    this.#pending.set(id, waiter)
    this.#outbox.push({ ...request, id })
    this.#schedule()
    return waiter.promise
  }

  #schedule(): void {
    if (this.#scheduled || this.#underWay >= BATCHES_UNDER_WAY || this.#outbox.length === 0) return
    this.#scheduled = true
    // after the sockets that are ready now have been read
    setImmediate(() => {
      this.#scheduled = false
      this.#underWay += 1
      this.#worker.ref()
      this.#worker.postMessage(this.#outbox.splice(0, BATCH_MAX))
      this.#schedule()
    })
  }

  #onReplies({ replies, batch }: SqliteReplies): void {
    if (batch) this.#underWay -= 1
    for (const reply of replies) {
      const waiter = this.#pending.get(reply.id)
      this.#pending.delete(reply.id)
      if ('failure' in reply) waiter?.reject(errorOf(reply.failure))
      else waiter?.resolve(reply.value)
    }
    this.#schedule()
    // a database that nobody waits for does not keep the process alive
    if (this.#pending.size === 0) this.#worker.unref()
  }

  #fail(error: MeshError): void {
    this.#ended ??= error
    this.#outbox = []
    for (const waiter of this.#pending.values()) waiter.reject(error)
    this.#pending.clear()
  }
}

function closedError(): MeshError {
  return new MeshError('unavailable', 'the database is closed')
}
