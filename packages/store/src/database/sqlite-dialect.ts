import { MeshError } from '@resultity/interface'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  type QueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler
} from 'kysely'
import type { SqliteValue } from './sqlite-messages.ts'
import type { SqliteThread } from './sqlite-thread.ts'

/**
 * Kysely over the database's thread. A statement outside a transaction shares one with all other statements in
 * progress.
 */
export class SqliteThreadDialect implements Dialect {
  readonly #thread: SqliteThread

  constructor(thread: SqliteThread) {
    this.#thread = thread
  }

  createDriver(): Driver {
    return new ThreadDriver(this.#thread)
  }

  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler()
  }

  createAdapter(): DialectAdapter {
    return new TransactionalAdapter()
  }

  createIntrospector(database: Kysely<unknown>): DatabaseIntrospector {
    return new SqliteIntrospector(database)
  }
}

/** SQLite can change tables in a transaction; with that, an interrupted migration leaves nothing behind. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

class ThreadDriver implements Driver {
  readonly #thread: SqliteThread

  constructor(thread: SqliteThread) {
    this.#thread = thread
  }

  async init(): Promise<void> {
    // the thread has opened the file already
  }

  async acquireConnection(): Promise<ThreadConnection> {
    return new ThreadConnection(this.#thread)
  }

  async beginTransaction(connection: ThreadConnection): Promise<void> {
    connection.transaction = await this.#thread.begin()
  }

  async commitTransaction(connection: ThreadConnection): Promise<void> {
    await this.#end(connection, 'commit')
  }

  async rollbackTransaction(connection: ThreadConnection): Promise<void> {
    await this.#end(connection, 'rollback')
  }

  async releaseConnection(): Promise<void> {
    // a connection is only the name of a transaction
  }

  async destroy(): Promise<void> {
    await this.#thread[Symbol.asyncDispose]()
  }

  async #end(connection: ThreadConnection, how: 'commit' | 'rollback'): Promise<void> {
    const { transaction } = connection
    connection.transaction = 0
    await this.#thread.end(transaction, how)
  }
}

class ThreadConnection implements DatabaseConnection {
  readonly #thread: SqliteThread
  /** 0 outside of any. */
  transaction = 0

  constructor(thread: SqliteThread) {
    this.#thread = thread
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changes } = await this.#thread.query(sql, parameters.map(bindable), this.transaction)
    const result = { rows: rows as R[] }
    return changes === undefined ? result : { ...result, numAffectedRows: BigInt(changes) }
  }

  streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new MeshError('internal', 'the database does not stream; read it page by page')
  }
}

function bindable(value: unknown): SqliteValue {
  if (value === undefined || value === null) return null
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') return value
  if (value instanceof Uint8Array) return value
  throw new MeshError('internal', `a ${typeof value} cannot be stored in a column`)
}
