import { type ErrorCode, MeshError } from '@resultity/interface'
import { StatementError, sqliteError } from './statement-error.ts'

export type SqliteValue = null | number | bigint | string | Uint8Array

export interface SqliteResult {
  readonly rows: readonly Readonly<Record<string, SqliteValue>>[]
  /** Undefined for statements that give rows. */
  readonly changes: number | undefined
}

/** A request to the database's thread. Requests with the same `transaction`, except 0, belong to one transaction. */
export type SqliteRequest = { readonly id: number; readonly transaction: number } & (
  | { readonly type: 'query'; readonly sql: string; readonly parameters: readonly SqliteValue[] }
  /** A whole operation of a store, as the thread knows it by name. */
  | { readonly type: 'call'; readonly name: string; readonly input: unknown }
  | { readonly type: 'begin' | 'commit' | 'rollback' | 'close' }
)

export type SqliteReply = { readonly id: number } & ({ readonly value: unknown } | { readonly failure: Failure })

export interface SqliteReplies {
  readonly replies: readonly SqliteReply[]
  /** True when these answer a whole batch; false for replies that had to wait for the end of a transaction. */
  readonly batch: boolean
}

/** An error, in the form that survives the way between threads. */
export type Failure =
  | {
      readonly type: 'mesh'
      readonly code: ErrorCode
      readonly message: string
      readonly hint: string | undefined
      readonly details: Readonly<Record<string, unknown>>
    }
  | { readonly type: 'statement'; readonly code: string; readonly message: string }

export function failureOf(error: unknown): Failure {
  const known = sqliteError(error)
  if (known instanceof StatementError) return { type: 'statement', code: known.code, message: known.message }
  const { code, message, hint, details } = known
  return { type: 'mesh', code, message, hint, details }
}

export function errorOf(failure: Failure): Error {
  if (failure.type === 'statement') return new StatementError(failure.code, failure.message)
  const { code, message, hint, details } = failure
  return new MeshError(code, message, { details, hint })
}
