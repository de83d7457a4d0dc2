import { MeshError } from '@resultity/interface'

/** A statement that the database refused: a broken constraint, or SQL that it does not understand. */
export class StatementError extends Error {
  override readonly name = 'StatementError'
  /** SQLite's name of the error, such as `SQLITE_CONSTRAINT_UNIQUE`, or PostgreSQL's SQLSTATE. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const uniqueViolations: ReadonlySet<string> = new Set([
  '23505',
  'SQLITE_CONSTRAINT_UNIQUE',
  'SQLITE_CONSTRAINT_PRIMARYKEY',
  'SQLITE_CONSTRAINT_ROWID'
])

/** True for an insert or update that met a row with the same unique value, on either database. */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof StatementError && uniqueViolations.has(error.code)
}

/** An error that an operator can fix becomes a MeshError; any other stays the database's error. */
export function sqliteError(error: unknown): MeshError | StatementError {
  if (error instanceof MeshError) return error
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : String(error)
  if (code === undefined) return MeshError.from(error)
  if (code === 'SQLITE_FULL') {
    return new MeshError('resource_exhausted', 'the database cannot grow: the disk is full', {
      hint: 'free some space, or shorten how long finished requests are kept',
      cause: error
    })
  }
  if (/^SQLITE_(NOTADB|CORRUPT)/.test(code)) {
    return new MeshError('unavailable', `the database is damaged: ${message}`, {
      hint: 'restore it from a backup, or move the file away to begin with an empty one',
      cause: error
    })
  }
  // a code that is not SQLite's is the file system's
  if (/^SQLITE_(BUSY|IOERR|CANTOPEN|READONLY|PERM|NOMEM|PROTOCOL)|^E[A-Z]+$/.test(code)) {
    return new MeshError('unavailable', `the database cannot be used: ${message} (${code})`, {
      hint: 'check that the data directory can be written and that no other program has the file open',
      cause: error
    })
  }
  return new StatementError(code, message, { cause: error })
}

/** As {@link sqliteError}, for errors of `pg`. */
export function postgresError(error: unknown): MeshError | StatementError {
  if (error instanceof MeshError) return error
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : String(error)
  if (code !== undefined && /^(28|3D)/.test(code)) {
    return new MeshError('settings_invalid', `PostgreSQL refuses the connection: ${message}`, {
      hint: 'check user, password and database in the address of the store',
      cause: error
    })
  }
  if (code === '22021' || code === '22P05') {
    return new MeshError('invalid_request', 'a text holds a character that PostgreSQL cannot store (U+0000)', {
      hint: 'leave the character out',
      cause: error
    })
  }
  if (code !== undefined && /^53/.test(code)) {
    return new MeshError('resource_exhausted', `PostgreSQL is out of something: ${message}`, {
      hint: "look at the server's disk, memory and max_connections",
      cause: error
    })
  }
  // an SQLSTATE has five characters; an error without one, or with the system's (ECONNREFUSED), is about the connection
  const lost = code === undefined || !/^[0-9A-Z]{5}$/.test(code) || /^(08|57|25P0[34])/.test(code)
  if (lost) {
    return new MeshError('unavailable', `PostgreSQL cannot be reached: ${message}`, {
      hint: 'check that the server runs and that the address of the store is right',
      cause: error
    })
  }
  return new StatementError(code, message, { cause: error })
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
