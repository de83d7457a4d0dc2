import type { Kysely } from 'kysely'
import type { Moment } from '../database/clocks.ts'
import type { Tables } from '../database/tables.ts'
import type { JobChange } from './job-change.ts'
import type { JobContent, JobRow } from './job-row.ts'
import { rowsOf, serverNow } from './postgres-transactions.ts'

/** A row under lock, and the server's time when it was taken. */
export type LockedRow = JobRow & { readonly now_ms: number }

/** Leases of several coordinators are judged by the server's one clock. */
export function momentOf({ now_ms: ms }: LockedRow): Moment {
  return { ms, leaseMs: ms }
}

export const lockedColumns = `job.*, ${serverNow} as now_ms`

/** The pending writes of a transaction: rows in their new state, and their new log entries. */
export class PendingChanges {
  readonly #rows = new Map<number, JobRow>()
  readonly #logs: { readonly seq: number; readonly number: number; readonly entries: string }[] = []
  readonly #contents: (Partial<JobContent> & { readonly seq: number })[] = []

  /** @returns the row as it will be */
  add<Row extends JobRow>(row: Row, { set, entries, content }: JobChange): Row {
    const next = { ...row, ...set }
    if (Object.keys(set).length > 0) this.#rows.set(row.seq, next)
    if (entries !== undefined) this.#logs.push({ seq: row.seq, number: next.event_count, entries: entries.text })
    if (content !== undefined) this.#contents.push({ ...content, seq: row.seq })
    return next
  }

  /** One statement, whatever there is. */
  async write(transaction: Kysely<Tables>): Promise<void> {
    if (this.#rows.size === 0) return
    await rowsOf(transaction, writeStatement, [
      JSON.stringify([...this.#rows.values()]),
      JSON.stringify(this.#logs),
      JSON.stringify(this.#contents)
    ])
  }
}

const writeStatement = `
  with written as (
    update job set
      state = r.state, attempts = r.attempts, interruptions = r.interruptions, handed_back = r.handed_back,
      nodes_lost = r.nodes_lost, cancel_requested = r.cancel_requested, event_count = r.event_count, bytes = r.bytes, used_bytes = r.used_bytes, owner = r.owner, lease_until_ms = r.lease_until_ms,
      started_at_ms = r.started_at_ms, ended_at_ms = r.ended_at_ms
    from json_to_recordset($1::json) as r(
      seq bigint, state text, attempts integer, interruptions integer, handed_back integer, nodes_lost integer,
      cancel_requested integer, event_count integer, bytes bigint, used_bytes bigint, owner text, lease_until_ms bigint, started_at_ms bigint, ended_at_ms bigint)
    where job.seq = r.seq
  ), logged as (
    insert into job_event (seq, number, entries)
    select seq, number, entries from json_to_recordset($2::json) as l(seq bigint, number integer, entries text)
  )
  update job_content set result = c.result, error = c.error, usage = c.usage
  from json_to_recordset($3::json) as c(seq bigint, result text, error text, usage text)
  where job_content.seq = c.seq`

export async function contentsOf(
  database: Kysely<Tables>,
  sequences: readonly number[]
): Promise<ReadonlyMap<number, JobContent>> {
  if (sequences.length === 0) return new Map()
  const rows = await rowsOf<JobContent & { readonly seq: number }>(
    database,
    'select seq, body, result, error, usage from job_content where seq = any($1::bigint[])',
    [sequences]
  )
  return new Map(rows.map(row => [row.seq, row]))
}
