import { MeshError } from '@resultity/interface'
import type { Database } from 'better-sqlite3'
import { ClockWatch, type Moment, momentOf, type StoreClocks, systemClocks } from '../database/clocks.ts'
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
import { pageOf } from './log-page.ts'
import type { SqliteJobOperations } from './sqlite-job-messages.ts'
import { claimNext, submit } from './sqlite-job-queue.ts'
import { apply, held, remove, stored } from './sqlite-job-rows.ts'
import { type JobStatements, lazyJobStatements } from './sqlite-job-statements.ts'

/** Jobs that one call of `sweep` looks at: some ten milliseconds. */
const SWEEP_MAX = 1000

/** Jobs of a group that one call of `remove` takes. */
const REMOVE_MAX = 500

/** Each of these runs within a transaction, and undoes itself by throwing. */
export function createJobOperations(database: Database, clocks: StoreClocks = systemClocks): SqliteJobOperations {
  const statements = lazyJobStatements(database)
  const watch = new ClockWatch()
  const now = (): Moment => momentOf(clocks)
  return {
    submit: ({ submitted, begin, bytesMax }) => submit(statements(), submitted, { begin, bytesMax, now: now() }),
    submitAll: ({ rows, bytesMax }) => {
      for (const row of rows) submit(statements(), row, { begin: null, bytesMax, now: now() })
      return null
    },
    get: id => {
      const row = statements().byId.get(id)
      return row === undefined ? null : stored(statements(), row)
    },
    claim: ({ begin, claimRequests, limits }) =>
      claimRequests.flatMap(claimRequest => claimNext(statements(), begin, claimRequest, limits, now())),
    renew: ({ claims, leaseMs }) =>
      claims.filter(claim => isVoid(() => change(statements(), claim.jobId, row => renew(row, claim, leaseMs, now())))),
    append: ({ claim, after, entries }) =>
      change(statements(), claim.jobId, row => append(row, claim, after, entries, now())).row.event_count,
    finish: ({ claim, outcome, limits }) => {
      const decide = (row: JobRow): JobChange => finish(row, claim, outcome, now(), limits)
      const { row, notices } = change(statements(), claim.jobId, decide)
      return { job: stored(statements(), row), notices }
    },
    cancel: id => {
      if (statements().byId.get(id) === undefined) return null
      const { row, notices } = change(statements(), id, row => cancel(row, now()))
      return { job: stored(statements(), row), notices }
    },
    cancelGroup: groupId => cancelGroup(statements(), groupId, now()),
    logs: ({ id, after, limit }) => pageOf(statements().logs.iterate(id, after), after, limit),
    sweep: ({ everyLease, limits }) => {
      const moment = now()
      const jumpMs = watch.look(moment)
      // waits are durations: the time left of them does not change with the clock
      if (jumpMs !== 0) statements().moveDeadlines.run(jumpMs)
      if (everyLease) statements().fromTheFuture.run({ now: moment.ms })
      return sweep(statements(), everyLease, limits, moment)
    },
    remove: id => removeJob(statements(), id),
    prune: ({ endedBeforeMs, unstoredBeforeMs, limit }) => {
      const unstored = statements().endedUnstored.all(unstoredBeforeMs, limit)
      for (const { id } of unstored) removeJob(statements(), id)
      const sequences = statements().ended.all(endedBeforeMs, limit)
      for (const seq of sequences) remove(statements(), seq)
      return unstored.length + sequences.length
    }
  }
}

function removeJob(statements: JobStatements, id: string): { readonly removed: boolean; readonly more: boolean } {
  const row = statements.byId.get(id)
  if (row === undefined) return { removed: false, more: false }
  if (!isFinal(row.state)) {
    statements.forget.run(row.seq)
    return { removed: false, more: false }
  }
  const parts = statements.parts.all(id, REMOVE_MAX)
  for (const seq of parts) remove(statements, seq)
  if (parts.length === REMOVE_MAX) return { removed: false, more: true }
  statements.forgetParts.run(id)
  remove(statements, row.seq)
  return { removed: true, more: false }
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

/** Does what `cancel` decides, for the whole group in one statement: a batch has fifty thousand jobs. */
function cancelGroup(statements: JobStatements, groupId: string, now: Moment): readonly JobNotice[] {
  const queued = statements.groupIds.all(groupId, 'queued')
  const running = statements.groupIds.all(groupId, 'running')
  statements.logGroupCancel.run(entry('cancelled').text, groupId)
  statements.cancelQueued.run(now.ms, groupId)
  statements.askRunning.run(groupId)
  return [
    ...queued.map(({ id }): JobNotice => ({ type: 'changed', jobId: id })),
    ...running.map(({ id }): JobNotice => ({ type: 'cancel_requested', jobId: id }))
  ]
}

function sweep(
  statements: JobStatements,
  everyLease: boolean,
  limits: JobLimits,
  now: Moment
): ReturnType<SqliteJobOperations['sweep']> {
  const overdue = statements.overdue.all(now.ms, SWEEP_MAX)
  const abandoned = statements.abandoned.all(everyLease ? Number.MAX_SAFE_INTEGER : now.leaseMs, SWEEP_MAX)
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
