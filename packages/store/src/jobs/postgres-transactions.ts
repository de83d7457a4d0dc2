import { setTimeout as delay } from 'node:timers/promises'
import { CompiledQuery, type Kysely, sql, type Transaction } from 'kysely'
import { StatementError } from '../database/statement-error.ts'
import type { Tables } from '../database/tables.ts'
import type { JobNotice } from '../job-store.ts'
import { encodeNotices } from './postgres-notice-payload.ts'

const CHANNEL = 'resultity_jobs'

/** Two coordinators that lock rows in different order deadlock: one is rolled back, and succeeds the next time. */
const RETRIES_MAX = 5
const RETRY_PAUSE_MS = 10

export const noticeChannel = CHANNEL

/** Unix milliseconds by the server's clock, so that coordinators agree. */
export const serverNow = '(extract(epoch from clock_timestamp()) * 1000)::bigint'

export type Work<T> = (transaction: Transaction<Tables>) => Promise<T>

/** Does `work` in a transaction, again when it lost to another. */
export async function inTransaction<T>(database: Kysely<Tables>, work: Work<T>): Promise<T> {
  for (let retry = 0; ; retry++) {
    try {
      return await database.transaction().execute(work)
    } catch (error) {
      if (retry === RETRIES_MAX || !lostToAnother(error)) throw error
      await delay(Math.random() * RETRY_PAUSE_MS * 2 ** retry)
    }
  }
}

export async function rowsOf<Row>(
  transaction: Kysely<Tables>,
  text: string,
  parameters: readonly unknown[]
): Promise<readonly Row[]> {
  const { rows } = await transaction.executeQuery<Row>(CompiledQuery.raw(text, [...parameters]))
  return rows
}

/** Notifies the other coordinators when the transaction commits, and only then. */
export async function notify(transaction: Kysely<Tables>, from: string, notices: readonly JobNotice[]): Promise<void> {
  const payloads = encodeNotices(from, notices)
  if (payloads.length === 0) return
  await sql`select pg_notify(${CHANNEL}, payload) from unnest(${payloads}::text[]) as payload`.execute(transaction)
}

function lostToAnother(error: unknown): boolean {
  return error instanceof StatementError && /^40(001|P01)$/.test(error.code)
}
