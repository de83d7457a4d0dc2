import { MeshError } from '@resultity/interface'
import type { Database } from 'better-sqlite3'
import { isFinal } from '../job.ts'
import type { JobNotice } from '../job-store.ts'
import {
  append,
  cancel,
  entry,
  expire,
  finish,
  interrupt,
  type JobChange,
  type JobLimits,
  renew
} from './job-change.ts'
import type { JobRow } from './job-row.ts'
import type { SqliteJobOperations } from './sqlite-job-messages.ts'
import { claimNext, submit } from './sqlite-job-queue.ts'
import { apply, held, remove, stored } from './sqlite-job-rows.ts'
import { type JobStatements, lazyJobStatements } from './sqlite-job-statements.ts'

/** Jobs that one call of `sweep` looks at: some ten milliseconds. */
const SWEEP_MAX = 1000

/** Each of these runs within a transaction, and undoes itself by throwing. */
export function createJobOperations(database: Database): SqliteJobOperations {
  const statements = lazyJobStatements(database)
  return {
    submit: ({ submitted, begin }) => submit(statements(), submitted, begin),
    submitAll: rows => {
      for (const row of rows) submit(statements(), row, null)
      return null
    },
    get: id => {
      const row = statements().byId.get(id)
      return row === undefined ? null : stored(statements(), row)
    },
    claim: ({ begin, wishes, limits }) => wishes.flatMap(wish => claimNext(statements(), begin, wish, limits)),
    renew: ({ claims, leaseMs }) =>
      claims.filter(claim =>
        isVoid(() => change(statements(), claim.jobId, row => renew(row, claim, leaseMs, Date.now())))
      ),
    append: ({ claim, after, entries }) =>
      change(statements(), claim.jobId, row => append(row, claim, after, entries, Date.now())).row.event_count,
    finish: ({ claim, outcome, limits }) => {
      const decide = (row: JobRow): JobChange => finish(row, claim, outcome, Date.now(), limits)
      const { row, notices } = change(statements(), claim.jobId, decide)
      return { job: stored(statements(), row), notices }
    },
    cancel: id => {
      if (statements().byId.get(id) === undefined) return null
      const { row, notices } = change(statements(), id, row => cancel(row, Date.now()))
      return { job: stored(statements(), row), notices }
    },
    cancelGroup: groupId => cancelGroup(statements(), groupId),
    logs: ({ id, after, limit }) => statements().logs.all(id, after, limit),
    sweep: ({ everyLease, limits }) => sweep(statements(), everyLease, limits),
    remove: id => {
      const row = statements().byId.get(id)
      if (row === undefined || !isFinal(row.state)) return false
      remove(statements(), row.seq)
      return true
    },
    prune: ({ endedBeforeMs, limit }) => {
      const sequences = statements().ended.all(endedBeforeMs, limit)
      for (const seq of sequences) remove(statements(), seq)
      return sequences.length
    }
  }
}

function change(
  statements: JobStatements,
  id: string,
  decide: (row: JobRow) => JobChange
): { readonly row: JobRow; readonly notices: readonly JobNotice[] } {
  const row = held(statements, id)
  const decided = decide(row)
  return { row: apply(statements, row, decided), notices: decided.notices }
}

function isVoid(use: () => unknown): boolean {
  try {
    use()
    return false
  } catch (error) {
    if (error instanceof MeshError && error.code === 'job_lease_lost') return true
    throw error
  }
}

/** As `cancel` decides, said of all at once: a batch has fifty thousand. */
function cancelGroup(statements: JobStatements, groupId: string): readonly JobNotice[] {
  const queued = statements.groupIds.all(groupId, 'queued')
  const running = statements.groupIds.all(groupId, 'running')
  statements.logGroupCancel.run(entry('cancelled').text, groupId)
  statements.cancelQueued.run(Date.now(), groupId)
  statements.askRunning.run(groupId)
  return [
    ...queued.map(({ id }): JobNotice => ({ type: 'changed', jobId: id })),
    ...running.map(({ id }): JobNotice => ({ type: 'cancel_requested', jobId: id }))
  ]
}

function sweep(
  statements: JobStatements,
  everyLease: boolean,
  limits: JobLimits
): ReturnType<SqliteJobOperations['sweep']> {
  const now = Date.now()
  const overdue = statements.overdue.all(now, SWEEP_MAX)
  const abandoned = statements.abandoned.all(everyLease ? Number.MAX_SAFE_INTEGER : now, SWEEP_MAX)
  const changes = [
    ...overdue.map(row => ({ row, decided: expire(row, now) })),
    ...abandoned.map(row => ({ row, decided: interrupt(row, now, limits) }))
  ]
  for (const { row, decided } of changes) apply(statements, row, decided)
  statements.forgetFlows.run()
  return {
    notices: changes.flatMap(({ decided }) => decided.notices),
    more: overdue.length === SWEEP_MAX || abandoned.length === SWEEP_MAX
  }
}
