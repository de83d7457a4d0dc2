import type { Kysely } from 'kysely'
import type { Tables } from '../database/tables.ts'
import type { JobNotice } from '../job-store.ts'
import { entry, expire, interrupt, type JobLimits } from './job-change.ts'
import { type LockedRow, lockedColumns, PendingChanges } from './postgres-job-rows.ts'
import { inTransaction, notify, rowsOf, serverNow } from './postgres-transactions.ts'

/** Jobs that one transaction of a sweep looks at. */
const SWEEP_MAX = 500

export interface Swept {
  readonly notices: readonly JobNotice[]
  readonly more: boolean
}

/** Several coordinators may sweep at once: each takes what the others have not. */
export function sweepJobs(database: Kysely<Tables>, from: string, limits: JobLimits): Promise<Swept> {
  return inTransaction(database, async transaction => {
    const take = (condition: string): Promise<readonly LockedRow[]> =>
      rowsOf(
        transaction,
        `select ${lockedColumns} from job where ${condition} order by seq limit ${SWEEP_MAX} for update skip locked`,
        []
      )
    const overdue = await take(`state = 'queued' and expires_at_ms <= ${serverNow}`)
    const abandoned = await take(`state = 'running' and lease_until_ms <= ${serverNow}`)
    const pending = new PendingChanges()
    const notices: JobNotice[] = []
    for (const row of overdue) {
      const change = expire(row, row.now_ms)
      pending.add(row, change)
      notices.push(...change.notices)
    }
    for (const row of abandoned) {
      const change = interrupt(row, row.now_ms, limits)
      pending.add(row, change)
      notices.push(...change.notices)
    }
    await pending.write(transaction)
    await notify(transaction, from, notices)
    return { notices, more: overdue.length === SWEEP_MAX || abandoned.length === SWEEP_MAX }
  })
}

/** Where nobody waits, nobody has to wait for another's past. */
export async function forgetFlows(database: Kysely<Tables>): Promise<void> {
  await rowsOf(
    database,
    `delete from job_flow f where
       finish_tag <= (select virtual_time from job_lane l where l.lane = f.lane and l.class = f.class)
       or not exists (select 1 from job j where j.state = 'queued' and j.lane = f.lane and j.class = f.class)`,
    []
  )
}

/** As `cancel` decides, said of all at once. */
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
    update job set state = 'cancelled', event_count = event_count + 1, ended_at_ms = ${serverNow}
    where group_id = $1 and state = 'queued' returning id, seq, event_count
  ), logged as (
    insert into job_event (seq, number, entries) select seq, event_count, $2 from gone
  ), asked as (
    update job set cancel_requested = 1 where group_id = $1 and state = 'running' returning id
  )
  select id, true as ended from gone union all select id, false from asked`

/** @returns how many jobs went */
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
