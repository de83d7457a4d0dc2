import type { SqliteResult, SqliteValue } from './sqlite-messages.ts'

/** Whatever runs statements and operations on a SQLite database. */
export interface SqliteConnection extends AsyncDisposable {
  query(sql: string, parameters: readonly SqliteValue[], transaction?: number): Promise<SqliteResult>
  /** Runs an operation that is known there by name. */
  call(name: string, input: unknown): Promise<unknown>
  /** @returns the number to give along with what belongs to the transaction */
  begin(): Promise<number>
  end(transaction: number, how: 'commit' | 'rollback'): Promise<void>
}
