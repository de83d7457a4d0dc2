import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { MeshError } from '@resultity/interface'

const LOCK_FILE = 'daemon.lock'
const PID_FILE = 'daemon.pid'

/** SQLITE_BUSY of https://sqlite.org/rescode.html */
const SQLITE_BUSY = 5

/** A daemon that starts waits so long for one that only asks who is there. */
const ASKED_MS = 500

/** Kind of a daemon, where others must be able to tell. */
export type DaemonRole = 'node'

/** Whose a data directory is now. */
export interface DirectoryHolder {
  readonly pid: number | undefined
  readonly role: DaemonRole | undefined
}

/**
 * Holds a data directory for this process. The lock is an SQLite file with an exclusive transaction open, that is a
 * lock of the operating system: it ends with the process, however that ends, so there is no stale lock to clear.
 *
 * @throws MeshError `data_directory_locked`, naming the process that has it; `settings_invalid` when the
 * directory cannot be made or written to
 */
export async function lockDirectory(directory: string, role?: DaemonRole): Promise<AsyncDisposable> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw unusable(directory, error)
  }
  const database = await open(directory, 'BEGIN EXCLUSIVE', ASKED_MS)
  const pidPath = join(directory, PID_FILE)
  await writeFile(pidPath, `${process.pid}${role === undefined ? '' : ` ${role}`}\n`)
  return {
    async [Symbol.asyncDispose]() {
      await rm(pidPath, { force: true })
      database.close()
    }
  }
}

/** The lock file, after a statement that fails while a daemon has the directory. */
async function open(directory: string, statement: string, timeout: number): Promise<DatabaseSync> {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(join(directory, LOCK_FILE), { timeout })
    database.exec(statement)
    return database
  } catch (error) {
    database?.close()
    if (!(error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY))
      throw unusable(directory, error)
    const { pid } = await readHolder(directory)
    throw new MeshError(
      'data_directory_locked',
      `${directory} is in use by another daemon${pid ? ` (process ${pid})` : ''}`,
      {
        hint: 'Stop that one first, or give this one a directory of its own with --data DIR.',
        details: { pid, directory },
        cause: error
      }
    )
  }
}

/** Which daemon has a directory now; undefined when none has. */
export async function holderOf(directory: string): Promise<DirectoryHolder | undefined> {
  if (!existsSync(join(directory, LOCK_FILE))) return undefined
  try {
    // a read locks nobody else out who asks
    const database = await open(directory, 'SELECT * FROM sqlite_master', 0)
    database.close()
    return undefined
  } catch (error) {
    if (error instanceof MeshError && error.code === 'data_directory_locked') return readHolder(directory)
    throw error
  }
}

async function readHolder(directory: string): Promise<DirectoryHolder> {
  const text = await readFile(join(directory, PID_FILE), 'utf8').catch(() => '')
  const [, pid, role] = /^(\d+)(?: (node))?\s*$/.exec(text) ?? []
  return { pid: pid === undefined ? undefined : Number(pid), role: role === 'node' ? role : undefined }
}

function unusable(directory: string, cause: unknown): MeshError {
  return new MeshError('settings_invalid', `--data: ${directory} cannot be used: ${MeshError.from(cause).message}`, {
    cause,
    hint: 'Name a directory that this user may write to.'
  })
}
