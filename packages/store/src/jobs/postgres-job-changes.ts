import type { Kysely } from 'kysely'
import type { Tables } from '../database/tables.ts'
import type { Job } from '../job.ts'
import type { JobClaim, JobNotice } from '../job-store.ts'
import type { Settled } from './batches.ts'
import {
  append,
  cancel,
  type EncodedOutcome,
  finish,
  type JobChange,
  type JobLimits,
  leaseLost,
  renew
} from './job-change.ts'
import { jobOf, type LogEntries } from './job-row.ts'
import { contentsOf, type LockedRow, lockedColumns, momentOf, PendingChanges } from './postgres-job-rows.ts'
import { inTransaction, notify, rowsOf } from './postgres-transactions.ts'

/** A change of one job that its owner or its client asks for. */
export type JobTask =
  | { readonly type: 'append'; readonly claim: JobClaim; readonly after: number; readonly entries: LogEntries }
  | { readonly type: 'finish'; readonly claim: JobClaim; readonly outcome: EncodedOutcome }
  | { readonly type: 'renew'; readonly claim: JobClaim; readonly leaseMs: number }
  | { readonly type: 'cancel'; readonly id: string }

export interface JobTaskDone {
  readonly eventCount: number
  readonly notices: readonly JobNotice[]
  /** Only for tasks that end the job or may end it. */
  readonly job: Job | undefined
}

const nothing: JobTaskDone = { eventCount: 0, notices: [], job: undefined }

interface Decided {
  readonly row: LockedRow
  readonly notices: readonly JobNotice[]
}

/** Locks the jobs of all tasks, decides one after the other, and writes once. */
export function changeJobs(
  database: Kysely<Tables>,
  from: string,
  limits: JobLimits,
  tasks: readonly JobTask[]
): Promise<readonly Settled<JobTaskDone>[]> {
  return inTransaction(database, async transaction => {
    const ids = [...new Set(tasks.map(idOf))]
    const found = await rowsOf<LockedRow>(
      transaction,
      // all coordinators take locks in the same order, so that none waits in a circle
      `select ${lockedColumns} from job where id = any($1::text[]) order by seq for update`,
      [ids]
    )
    const rows = new Map(found.map(row => [row.id, row]))
    const pending = new PendingChanges()
    const settled = tasks.map(task => decideOn(task, rows, pending, limits))
    const notices = settled.flatMap(one => ('value' in one ? (one.value?.notices ?? []) : []))
    await pending.write(transaction)
    await notify(transaction, from, notices)
    const whole = tasks.flatMap(task => (task.type === 'finish' || task.type === 'cancel' ? [idOf(task)] : []))
    const contents = await contentsOf(
      transaction,
      whole.flatMap(id => rows.get(id)?.seq ?? [])
    )
    return settled.map(one => {
      if ('error' in one) return one
      if (one.value === undefined) return { value: nothing }
      const { row, notices } = one.value
      const content = contents.get(row.seq)
      const job = content === undefined ? undefined : jobOf(row, content)
      return { value: { eventCount: row.event_count, notices, job } }
    })
  })
}

function decideOn(
  task: JobTask,
  rows: Map<string, LockedRow>,
  pending: PendingChanges,
  limits: JobLimits
): Settled<Decided | undefined> {
  const id = idOf(task)
  const row = rows.get(id)
  // there may be nothing to cancel, but a claim is always of something
  if (row === undefined && task.type === 'cancel') return { value: undefined }
  try {
    if (row === undefined) throw leaseLost(id, 'it was removed')
    const change = decide(task, row, limits)
    const next = pending.add(row, change)
    rows.set(id, next)
    return { value: { row: next, notices: change.notices } }
  } catch (error) {
    return { error }
  }
}

function decide(task: JobTask, row: LockedRow, limits: JobLimits): JobChange {
  switch (task.type) {
    case 'append':
      return append(row, task.claim, task.after, task.entries, momentOf(row))
    case 'finish':
      return finish(row, task.claim, task.outcome, momentOf(row), limits)
    case 'renew':
      return renew(row, task.claim, task.leaseMs, momentOf(row))
    case 'cancel':
      return cancel(row, momentOf(row))
  }
}

function idOf(task: JobTask): string {
  return task.type === 'cancel' ? task.id : task.claim.jobId
}
