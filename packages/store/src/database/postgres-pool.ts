import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import pg from 'pg'
import { postgresError } from './statement-error.ts'

/** Longest wait for a connection: the server's, and a place in the pool. */
const CONNECT_TIMEOUT_MS = 10_000

/** Time after which the server itself cancels a statement; our statements take far less. */
const STATEMENT_TIMEOUT_MS = 30_000

/** Timeout of our own, for a server that is gone without closing the connection. */
const QUERY_TIMEOUT_MS = 35_000

const INT8_OID = 20
const NUMERIC_OID = 1700

/** Counts, sums and Unix milliseconds are far below 2^53, and SQLite gives numbers for them too. */
const numbers: ReadonlySet<number> = new Set([INT8_OID, NUMERIC_OID])

const parsers: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) => (numbers.has(oid) ? Number : pg.types.getTypeParser(oid, format))
}

/** Settings of every connection, the pool's and the listener's. */
export function connectionSettings(url: string): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: 'resultity',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    keepAlive: true,
    types: parsers
  }
}

/** Connections to one server. Whatever they throw is a MeshError or a StatementError. */
export class PostgresConnections implements PostgresPool {
  readonly options: object = {}
  readonly #pool: pg.Pool

  constructor(url: string, connectionsMax: number) {
    this.#pool = new pg.Pool({ ...connectionSettings(url), max: connectionsMax })
    this.#pool.on('error', () => {
      // an idle connection broke; the pool has dropped it, and the next query opens another
    })
  }

  async connect(): Promise<PostgresPoolClient> {
    try {
      return new TranslatingClient(await this.#pool.connect())
    } catch (error) {
      throw postgresError(error)
    }
  }

  async end(): Promise<void> {
    await this.#pool.end()
  }
}

class TranslatingClient implements PostgresPoolClient {
  readonly #client: pg.PoolClient
  #broken = false

  constructor(client: pg.PoolClient) {
    this.#client = client
  }

  query<R>(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>
  query(cursor: never): never
  async query<R>(sql: string, parameters: readonly unknown[] = []): Promise<PostgresQueryResult<R>> {
    try {
      const { command, rowCount, rows } = await this.#client.query(sql, [...parameters])
      return { command: command as PostgresQueryResult<R>['command'], rowCount: rowCount ?? 0, rows }
    } catch (error) {
      const known = postgresError(error)
      // after our timeout the server may still be working on it: do not use this connection again
      if (known.code === 'unavailable') this.#broken = true
      throw known
    }
  }

  release(destroy = false): void {
    this.#client.release(destroy || this.#broken)
  }
}
