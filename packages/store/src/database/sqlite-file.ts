import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import SqliteDatabase, { type Database } from 'better-sqlite3'

/** Longest wait for another process, such as a backup, that has the file locked. */
const BUSY_TIMEOUT_MS = 5000

/** Memory for pages, in KiB; SQLite's own default of 2 MB is a phone's. */
const CACHE_KIB = 32 * 1024

/**
 * Pages of 4 KiB that the write-ahead log takes before they are copied to their places; SQLite's own default is 1000.
 * Pages of busy logs are written many times and then copied once.
 */
const CHECKPOINT_PAGES = 8000

export interface SqliteFileInit {
  readonly path: string
  /** Wait for the disk at every commit, so that a power cut loses nothing either. */
  readonly syncEveryCommit: boolean
}

/**
 * Opens or creates the file, readable only by its owner, because prompts are in it. Deleted data is overwritten. The
 * write-ahead log of an earlier process is folded into the file.
 */
export function openSqliteFile({ path, syncEveryCommit }: SqliteFileInit): Database {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, 'a', 0o600))
  // one that was made with a looser mode; the files beside it take their mode from it
  chmodSync(path, 0o600)
  const database = new SqliteDatabase(path, { timeout: BUSY_TIMEOUT_MS })
  database.pragma('journal_mode = WAL')
  database.pragma(`synchronous = ${syncEveryCommit ? 'FULL' : 'NORMAL'}`)
  database.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
  database.pragma('foreign_keys = ON')
  database.pragma('secure_delete = ON')
  database.pragma(`cache_size = -${CACHE_KIB}`)
  emptyLog(database)
  return database
}

/**
 * Copies the pages of the write-ahead log to their places and empties the log, which holds deleted data until then.
 * @returns false while another program reads the file
 */
export function emptyLog(database: Database): boolean {
  const [result] = database.pragma('wal_checkpoint(TRUNCATE)') as { readonly busy: number }[]
  return result?.busy === 0
}
