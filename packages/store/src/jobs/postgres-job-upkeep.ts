import type { Kysely } from 'kysely'
import type { Tables } from '../database/tables.ts'
import type { JobNotice } from '../job-store.ts'
import { entry, expire, interrupt, type JobLimits } from './job-change.ts'
import { type LockedRow, lockedColumns, momentOf, PendingChanges } from './postgres-job-rows.ts'
import { inTransaction, notify, rowsOf, serverNow } from './postgres-transactions.ts'

/** Jobs that one transaction of a sweep looks at. */
const SWEEP_MAX = 500

export interface Swept {
  readonly notices: readonly JobNotice[]
  readonly more: boolean
}

/** Several coordinators may sweep at once: each takes jobs that the others have not. */
export function sweepJobs(database: Kysely<Tables>, from: string, limits: JobLimits): Promise<Swept> {
  return inTransaction(database, async transaction => {
    const take = (condition: string): Promise<readonly LockedRow[]> =>
      rowsOf(
        transaction,
        `select ${lockedColumns} from job where ${condition} order by seq limit ${SWEEP_MAX} for update skip locked`,
        []
      )
    await rowsOf(transaction, shortenLeases, [])
    await rowsOf(transaction, keepWaits, [])
    const overdue = await take(`state = 'queued' and expires_at_ms <= ${serverNow}`)
    const abandoned = await take(`state = 'running' and lease_until_ms <= ${serverNow}`)
    const pending = new PendingChanges()
    const notices: JobNotice[] = []
    for (const row of overdue) {
      const change = expire(row, momentOf(row))
      pending.add(row, change)
      notices.push(...change.notices)
    }
    for (const row of abandoned) {
      const change = interrupt(row, momentOf(row), limits)
      pending.add(row, change)
      notices.push(...change.notices)
    }
    await pending.write(transaction)
    await notify(transaction, from, notices)
    return { notices, more: overdue.length === SWEEP_MAX || abandoned.length === SWEEP_MAX }
  })
}

/** A lease is some seconds: one that seems to hold longer was taken before the server's clock was set back. */
const LEASE_MS_MAX = 5 * 60_000

const shortenLeases = `update job set lease_until_ms = ${serverNow} + ${LEASE_MS_MAX}
  where seq in (select seq from job where state = 'running' and lease_until_ms > ${serverNow} + ${LEASE_MS_MAX}
    order by seq for update skip locked)`

/** Jobs that were made before the server's clock was set back wait as long as they would have. */
const keepWaits = `with moment as materialized (select ${serverNow} as ms)
  update job set expires_at_ms = ms + (expires_at_ms - created_at_ms), created_at_ms = ms from moment
  where seq in (select seq from job where state in ('queued', 'running') and created_at_ms > (select ms from moment)
    order by seq for update skip locked)`

/** Where no job waits, the past use of a key must not delay its next one. */
export async function forgetFlows(database: Kysely<Tables>): Promise<void> {
  await rowsOf(
    database,
    `delete from job_flow f where
       finish_tag <= (select virtual_time from job_lane l where l.lane = f.lane and l.class = f.class)
       or not exists (select 1 from job j where j.state = 'queued' and j.lane = f.lane and j.class = f.class)`,
    []
  )
}

/** Does what `cancel` decides, for the whole group in one statement. */
export function cancelGroup(database: Kysely<Tables>, from: string, groupId: string): Promise<readonly JobNotice[]> {
  return inTransaction(database, async transaction => {
    // first the locks, so that one which is begun in this moment is seen as running
    await rowsOf(
      transaction,
      `select seq from job where group_id = $1 and state in ('queued', 'running') order by seq for update`,
      [groupId]
    )
    const rows = await rowsOf<{ readonly id: string; readonly ended: boolean }>(transaction, cancelStatement, [
      groupId,
      entry('cancelled').text
    ])
    const notices = rows.map(
      ({ id, ended }): JobNotice => ({ type: ended ? 'changed' : 'cancel_requested', jobId: id })
    )
    await notify(transaction, from, notices)
    return notices
  })
}

const cancelStatement = `
  with gone as (
    update job set state = 'cancelled', event_count = event_count + 1, bytes = used_bytes, ended_at_ms = ${serverNow}
    where group_id = $1 and state = 'queued' returning id, seq, event_count
  ), logged as (
    insert into job_event (seq, number, entries) select seq, event_count, $2 from gone
  ), asked as (
    update job set cancel_requested = 1 where group_id = $1 and state = 'running' returning id
  )
  select id, true as ended from gone union all select id, false from asked`

/** Removes the jobs that a query names; @returns how many */
export async function removeJobs(
  database: Kysely<Tables>,
  which: string,
  parameters: readonly unknown[]
): Promise<number> {
  const [row] = await rowsOf<{ readonly count: number }>(
    database,
    `with gone as (delete from job where seq in (${which}) returning seq),
     contents as (delete from job_content using gone where job_content.seq = gone.seq),
     logs as (delete from job_event using gone where job_event.seq = gone.seq)
     select count(*) as count from gone`,
    parameters
  )
  return row?.count ?? 0
}

/**
 * Removes final jobs with the jobs of their groups. Jobs of a group that have not ended yet are removed after their
 * end.
 */
export function removeTrees(database: Kysely<Tables>, ids: readonly string[]): Promise<number> {
  return inTransaction(database, async transaction => {
    const roots = await removeJobs(
      transaction,
      `select seq from job where id = any($1::text[]) and ended_at_ms is not null order by seq for update`,
      [ids]
    )
    await rowsOf(transaction, 'update job set unstored = 1 where id = any($1::text[])', [ids])
    if (roots === 0) return 0
    await rowsOf(transaction, `${partsOf} update job set unstored = 1 where seq in (select seq from tree)`, [ids])
    await removeJobs(transaction, `${partsOf} select seq from tree where ended`, [ids])
    return roots
  })
}

const partsOf = `with recursive tree (seq, id, ended) as (
  select seq, id, ended_at_ms is not null from job where group_id = any($1::text[])
  union all
  select job.seq, job.id, job.ended_at_ms is not null from job join tree on job.group_id = tree.id)`
