import { join, resolve } from 'node:path'
import { MeshError } from '@resultity/interface'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { migrate } from './migrate.ts'
import type { DialectName } from './migration.ts'
import { PostgresConnections } from './postgres-pool.ts'
import type { SqliteConnection } from './sqlite-connection.ts'
import { SqliteDialect } from './sqlite-dialect.ts'
import { type MemoryInit, MemorySqlite } from './sqlite-memory.ts'
import { SqliteThread } from './sqlite-thread.ts'
import type { Tables } from './tables.ts'

const DEFAULT_CONNECTIONS_MAX = 10

export interface SqliteInit {
  /** Where the file is; its lock is held elsewhere, so that no second process opens it. */
  readonly dataDir: string
  /**
   * Wait for the disk at every commit. Without it, acknowledged data survives the end of the process in any case, but a
   * power cut may lose the last moments before it. Default false.
   */
  readonly syncEveryCommit?: boolean
}

export interface PostgresInit {
  /** `postgres://user:password@host:port/database` */
  readonly postgresUrl: string
  /** Most connections at once, the listener's not counted. Default 10. */
  readonly connectionsMax?: number
}

export type DatabaseInit = SqliteInit | PostgresInit | MemoryInit

interface AnyDatabase extends AsyncDisposable {
  readonly dialect: DialectName
  /** Typed queries, the same for both databases. */
  readonly kysely: Kysely<Tables>
}

export interface SqliteStoreDatabase extends AnyDatabase {
  readonly dialect: 'sqlite'
  readonly connection: SqliteConnection
  /** Bytes inside the file that deletions have freed for new data. */
  reusableBytes(): Promise<number>
}

export interface PostgresStoreDatabase extends AnyDatabase {
  readonly dialect: 'postgres'
  readonly url: string
}

/** An open database of the newest version. Everything that a coordinator stores is in one. */
export type StoreDatabase = SqliteStoreDatabase | PostgresStoreDatabase

/**
 * Opens a database, creates or migrates its tables.
 *
 * @throws MeshError `unavailable` when it cannot be reached or opened, `settings_invalid` when the server refuses the
 * credentials, `database_version` when a newer version wrote it
 */
export async function openDatabase(init: DatabaseInit): Promise<StoreDatabase> {
  const database = await open(init)
  try {
    await migrate(database.kysely, database.dialect)
    return database
  } catch (error) {
    await database[Symbol.asyncDispose]()
    throw error
  }
}

async function open(init: DatabaseInit): Promise<StoreDatabase> {
  if ('postgresUrl' in init) return openPostgres(init)
  if ('disk' in init) return onSqlite(new MemorySqlite(init))
  const { dataDir, syncEveryCommit = false } = init
  return onSqlite(await SqliteThread.open({ path: join(resolve(dataDir), 'store.sqlite'), syncEveryCommit }))
}

function onSqlite(connection: SqliteConnection): SqliteStoreDatabase {
  const kysely = new Kysely<Tables>({ dialect: new SqliteDialect(connection) })
  const reusableBytes = async (): Promise<number> => {
    const { rows } = await sql<{ readonly bytes: number }>`
      select freelist_count * page_size as bytes from pragma_freelist_count, pragma_page_size`.execute(kysely)
    return rows[0]?.bytes ?? 0
  }
  return {
    dialect: 'sqlite',
    kysely,
    connection,
    reusableBytes,
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose]()
  }
}

function openPostgres({ postgresUrl, connectionsMax = DEFAULT_CONNECTIONS_MAX }: PostgresInit): PostgresStoreDatabase {
  if (!/^postgres(ql)?:$/.test(URL.parse(postgresUrl)?.protocol ?? '')) {
    throw new MeshError('settings_invalid', 'the address of the store is not one of PostgreSQL', {
      hint: 'write it as postgres://user:password@host:port/database'
    })
  }
  const pool = new PostgresConnections(postgresUrl, connectionsMax)
  const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  return { dialect: 'postgres', kysely, url: postgresUrl, [Symbol.asyncDispose]: () => pool.end() }
}
