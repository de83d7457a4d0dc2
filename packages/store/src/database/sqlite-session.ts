import { MeshError, type Scheduler, systemScheduler, type Timer } from '@resultity/interface'
import type { Database, Statement } from 'better-sqlite3'
import {
  failureOf,
  type SqliteReply,
  type SqliteRequest,
  type SqliteResult,
  type SqliteValue
} from './sqlite-messages.ts'

/** Whole operations of the stores, by name: they run here and not statement by statement from outside. */
export type SqliteOperations = Readonly<Record<string, (input: never) => unknown>>

type Row = Record<string, SqliteValue>

/** Compiled statements that are kept. Lists of filters come in many lengths, so there is no end to them. */
const STATEMENTS_MAX = 500

/** Longest time that a transaction from outside may block all others. */
const TRANSACTION_MS_MAX = 10_000

/**
 * The one connection to a SQLite file. Requests that arrive together are committed together, and a failing one does not
 * fail the others. A transaction from outside has the connection to itself; the others wait.
 */
export class SqliteSession {
  readonly #database: Database
  readonly #operations: SqliteOperations
  /** Sends the replies of requests that had to wait. */
  readonly #reply: (replies: readonly SqliteReply[]) => void
  readonly #onDelete: () => void
  readonly #statements = new Map<string, Statement<SqliteValue[], Row>>()
  #waiting: SqliteRequest[] = []
  #transaction = 0
  readonly #scheduler: Scheduler
  #deadline: Timer | undefined

  constructor(
    database: Database,
    operations: SqliteOperations,
    reply: (replies: readonly SqliteReply[]) => void = () => undefined,
    onDelete: () => void = () => undefined,
    scheduler: Scheduler = systemScheduler
  ) {
    this.#scheduler = scheduler
    this.#database = database
    this.#operations = operations
    this.#reply = reply
    this.#onDelete = onDelete
  }

  /** Whether no transaction from outside is open. */
  get idle(): boolean {
    return this.#transaction === 0
  }

  /** Does what can be done now. Answers to the rest follow when the transaction that is in its way has ended. */
  handle(batch: readonly SqliteRequest[]): SqliteReply[] {
    const replies: SqliteReply[] = []
    this.#waiting.push(...batch)
    for (;;) {
      const requests = this.#transaction === 0 ? this.#takeGroup() : this.#takeOwn()
      if (requests.length === 0) return replies
      const [first] = requests
      if (this.#transaction !== 0) replies.push(...requests.map(request => this.#inTransaction(request)))
      else if (first?.type === 'begin') replies.push(this.#begin(first))
      else replies.push(...this.#group(requests))
    }
  }

  /** Up to the next that begins a transaction; or that one alone, when it is the first. */
  #takeGroup(): SqliteRequest[] {
    const at = this.#waiting.findIndex(request => request.type === 'begin')
    return this.#waiting.splice(0, at === -1 ? this.#waiting.length : Math.max(at, 1))
  }

  /** Waiting requests of the open transaction, up to its end. */
  #takeOwn(): SqliteRequest[] {
    const taken: SqliteRequest[] = []
    const left: SqliteRequest[] = []
    let ended = false
    for (const request of this.#waiting) {
      const own = !ended && request.transaction === this.#transaction
      if (own) taken.push(request)
      else left.push(request)
      if (own && (request.type === 'commit' || request.type === 'rollback')) ended = true
    }
    this.#waiting = left
    return taken
  }

  /** Savepoints cost a copy of every page that is changed in them: only a group in which something failed has any. */
  #group(requests: readonly SqliteRequest[]): readonly SqliteReply[] {
    return this.#together(requests, false) ?? this.#together(requests, true)
  }

  /** Undefined when a write failed and there are no savepoints to go back to: then nothing of the group was done. */
  #together(requests: readonly SqliteRequest[], savepoints: true): SqliteReply[]
  #together(requests: readonly SqliteRequest[], savepoints: boolean): SqliteReply[] | undefined
  #together(requests: readonly SqliteRequest[], savepoints: boolean): SqliteReply[] | undefined {
    const replies: SqliteReply[] = []
    /** Where the writes of the open transaction begin. */
    let firstWrite: number | undefined
    const refuseAll = (error: unknown): void => {
      const failure = failureOf(error)
      for (let i = firstWrite ?? 0; i < replies.length; i++) replies[i] = { id: replies[i]?.id ?? 0, failure }
      firstWrite = undefined
    }
    for (const request of requests) {
      let write = false
      try {
        if (request.transaction !== 0) throw endedError()
        write = !this.#isRead(request)
        if (write && firstWrite === undefined) {
          this.#run('BEGIN IMMEDIATE')
          firstWrite = replies.length
        }
        const value = write && savepoints ? this.#inSavepoint(request) : this.#perform(request)
        replies.push({ id: request.id, value })
      } catch (error) {
        if (write && !savepoints) return this.#rollBack()
        replies.push({ id: request.id, failure: failureOf(error) })
        // some errors, such as a full disk, make SQLite roll back the whole transaction
        if (firstWrite !== undefined && !this.#database.inTransaction) refuseAll(error)
      }
    }
    if (firstWrite === undefined) return replies
    try {
      this.#run('COMMIT')
    } catch (error) {
      this.#rollBack()
      if (!savepoints) return undefined
      refuseAll(error)
    }
    return replies
  }

  #rollBack(): undefined {
    if (this.#database.inTransaction) this.#run('ROLLBACK')
  }

  #inSavepoint(request: SqliteRequest): unknown {
    this.#run('SAVEPOINT one')
    try {
      const value = this.#perform(request)
      this.#run('RELEASE one')
      return value
    } catch (error) {
      if (this.#database.inTransaction) {
        this.#run('ROLLBACK TO one')
        this.#run('RELEASE one')
      }
      throw error
    }
  }

  #begin(request: SqliteRequest): SqliteReply {
    try {
      this.#run('BEGIN IMMEDIATE')
    } catch (error) {
      return { id: request.id, failure: failureOf(error) }
    }
    this.#transaction = request.transaction
    this.#deadline = this.#scheduler.setTimeout(() => {
      this.#end('ROLLBACK')
      this.#reply(this.handle([]))
    }, TRANSACTION_MS_MAX)
    return { id: request.id, value: undefined }
  }

  #inTransaction(request: SqliteRequest): SqliteReply {
    try {
      if (request.transaction !== this.#transaction) throw endedError()
      if (request.type === 'commit') this.#end('COMMIT')
      else if (request.type === 'rollback') this.#end('ROLLBACK')
      else return { id: request.id, value: this.#perform(request) }
      return { id: request.id, value: undefined }
    } catch (error) {
      if (!this.#database.inTransaction) this.#forgetTransaction()
      return { id: request.id, failure: failureOf(error) }
    }
  }

  #end(how: 'COMMIT' | 'ROLLBACK'): void {
    try {
      this.#run(how)
    } finally {
      this.#rollBack()
      this.#forgetTransaction()
    }
  }

  #forgetTransaction(): void {
    this.#scheduler.clear(this.#deadline)
    this.#transaction = 0
  }

  #isRead(request: SqliteRequest): boolean {
    // a statement that does not compile says so when it is performed
    return request.type === 'query' && this.#database.open && /^\s*(select|with)\b/i.test(request.sql)
      ? this.#prepare(request.sql).readonly
      : false
  }

  #perform(request: SqliteRequest): unknown {
    if (request.type === 'query') return this.#query(request.sql, request.parameters)
    if (request.type !== 'call') throw new MeshError('internal', `${request.type} without a transaction`)
    const operation = this.#operations[request.name]
    if (operation === undefined) throw new MeshError('internal', `the database has no operation ${request.name}`)
    // the caller's side is typed by the operations themselves
    const output = operation(request.input as never)
    if (hasDeleted(request.name, output)) this.#onDelete()
    return output
  }

  #query(sql: string, parameters: readonly SqliteValue[]): SqliteResult {
    const statement = this.#prepare(sql)
    if (statement.reader) return { rows: statement.all(...parameters), changes: undefined }
    const { changes } = statement.run(...parameters)
    if (changes > 0 && /^\s*delete\b/i.test(sql)) this.#onDelete()
    return { rows: [], changes }
  }

  #run(sql: string): void {
    this.#prepare(sql).run()
  }

  #prepare(sql: string): Statement<SqliteValue[], Row> {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#database.prepare<SqliteValue[], Row>(sql)
    this.#statements.set(sql, statement)
    if (this.#statements.size > STATEMENTS_MAX) {
      const [oldest] = this.#statements.keys()
      if (oldest !== undefined) this.#statements.delete(oldest)
    }
    return statement
  }
}

/** Whether an operation has removed what clients wrote. */
function hasDeleted(name: string, output: unknown): boolean {
  return name === 'remove' || (name === 'prune' && output !== 0)
}

function endedError(): MeshError {
  return new MeshError('deadline_exceeded', `a transaction took longer than ${TRANSACTION_MS_MAX} ms`, {
    hint: 'its changes were undone; do it again, with less in between'
  })
}
