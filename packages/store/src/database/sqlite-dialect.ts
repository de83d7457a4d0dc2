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
import type { SqliteConnection } from './sqlite-connection.ts'
import type { SqliteValue } from './sqlite-messages.ts'

/**
 * Kysely over one connection. A statement outside a transaction shares one with all other statements in progress.
 */
export class SqliteDialect implements Dialect {
  readonly #connection: SqliteConnection

  constructor(connection: SqliteConnection) {
    this.#connection = connection
  }

  createDriver(): Driver {
    return new ConnectionDriver(this.#connection)
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

class ConnectionDriver implements Driver {
  readonly #connection: SqliteConnection

  constructor(connection: SqliteConnection) {
    this.#connection = connection
  }

  async init(): Promise<void> {
    // it is open already
  }

  async acquireConnection(): Promise<SharedConnection> {
    return new SharedConnection(this.#connection)
  }

  async beginTransaction(connection: SharedConnection): Promise<void> {
    connection.transaction = await this.#connection.begin()
  }

  async commitTransaction(connection: SharedConnection): Promise<void> {
    await this.#end(connection, 'commit')
  }

  async rollbackTransaction(connection: SharedConnection): Promise<void> {
    await this.#end(connection, 'rollback')
  }

  async releaseConnection(): Promise<void> {
    // a connection is only the name of a transaction
  }

  async destroy(): Promise<void> {
    await this.#connection[Symbol.asyncDispose]()
  }

  async #end(connection: SharedConnection, how: 'commit' | 'rollback'): Promise<void> {
    const { transaction } = connection
    connection.transaction = 0
    await this.#connection.end(transaction, how)
  }
}

class SharedConnection implements DatabaseConnection {
  readonly #connection: SqliteConnection
  /** 0 outside of any. */
  transaction = 0

  constructor(connection: SqliteConnection) {
    this.#connection = connection
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changes } = await this.#connection.query(sql, parameters.map(bindable), this.transaction)
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
