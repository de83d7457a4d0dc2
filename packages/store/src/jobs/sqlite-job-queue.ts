import type { Moment } from '../database/clocks.ts'
import { isUniqueViolation, sqliteError } from '../database/statement-error.ts'
import type { ClaimRequest } from '../job-store.ts'
import { requireRoom } from '../storage/byte-quota.ts'
import { begin, entry, type JobLimits } from './job-change.ts'
import { duplicateId, idempotencyConflict } from './job-refusals.ts'
import { flowOf, type JobRow, type SubmittedRow } from './job-row.ts'
import type { Begin, SqliteJobOperations, StoredJob } from './sqlite-job-messages.ts'
import { apply, stored } from './sqlite-job-rows.ts'
import type { JobStatements, NewRow } from './sqlite-job-statements.ts'

type Columns = Omit<SubmittedRow, 'body' | 'wait_ms'>
type Submitted = ReturnType<SqliteJobOperations['submit']>

/** Stores a job at its place in the queue, or begins it when no other is before it. */
export function submit(
  statements: JobStatements,
  { body, wait_ms: waitMs, ...columns }: SubmittedRow,
  { begin: wanted, bytesMax, now }: { readonly begin: Begin | null; readonly bytesMax: number; readonly now: Moment }
): Submitted {
  const before = storedBefore(statements, columns)
  if (before !== undefined) return { row: before.row, content: before.content, begun: false }
  requireRoom(statements.namespaceBytes.get(columns.namespace) ?? 0, columns.bytes, bytesMax)
  const queued: NewRow = {
    ...columns,
    state: 'queued',
    attempts: 0,
    interruptions: 0,
    handed_back: 0,
    nodes_lost: 0,
    cancel_requested: 0,
    event_count: 1,
    start_tag: takeTag(statements, columns),
    owner: null,
    lease_until_ms: 0,
    created_at_ms: now.ms,
    expires_at_ms: now.ms + waitMs,
    started_at_ms: null,
    ended_at_ms: null
  }
  if (wanted === null || waits(statements, queued)) {
    return { row: insert(statements, queued, body, entry('queued').text), content: null, begun: false }
  }
  statements.advance.run(queued.lane, queued.class, queued.start_tag)
  const { set } = begin(queued, wanted.owner, wanted.leaseMs, now)
  const row = insert(statements, { ...queued, ...set }, body, entry('queued', 'started').text)
  return { row, content: null, begun: true }
}

/** Begins the jobs that come next in one lane and class. */
export function claimNext(
  statements: JobStatements,
  { owner, leaseMs }: Begin,
  claimRequest: ClaimRequest,
  limits: JobLimits,
  now: Moment
): StoredJob[] {
  const { lane, class: jobClass } = claimRequest
  const rows = nextRows(statements, claimRequest, now.ms, limits)
  const last = rows.at(-1)
  if (last !== undefined) statements.advance.run(lane, jobClass, last.start_tag)
  return rows.map(row => stored(statements, apply(statements, row, begin(row, owner, leaseMs, now))))
}

/** At most one suspect job ({@link isSuspect}), and none while one runs. */
function nextRows(
  statements: JobStatements,
  { lane, class: jobClass, count }: ClaimRequest,
  now: number,
  { waitingLanes = [] }: JobLimits
): JobRow[] {
  if (waitingLanes.includes(lane)) return statements.next.all(lane, jobClass, now, count)
  const free = count > 0 && statements.suspectsRun.get(JSON.stringify(waitingLanes)) === undefined
  const suspect = free ? statements.nextSuspect.all(lane, jobClass, now) : []
  return [...suspect, ...statements.nextUnsuspected.all(lane, jobClass, now, count - suspect.length)]
}

function storedBefore(statements: JobStatements, columns: Columns): StoredJob | undefined {
  if (columns.idempotency_key === null) return undefined
  const known = statements.byIdempotencyKey.get(columns.namespace, columns.idempotency_key)
  if (known === undefined) return undefined
  if (known.idempotency_sha256 !== columns.idempotency_sha256) throw idempotencyConflict(columns.idempotency_key)
  return stored(statements, known)
}

/**
 * Start-time fair queueing. Each key is served one job per unit of virtual time; a job may begin when the previous job
 * of its key would have ended, but not before the queue's present.
 */
function takeTag(statements: JobStatements, columns: Columns): number {
  const { lane, class: jobClass } = columns
  const virtualTime = statements.virtualTime.get(lane, jobClass) ?? 0
  const flow = flowOf(columns)
  return statements.takeTag.get({ lane, class: jobClass, flow, virtualTime }) ?? virtualTime
}

function waits(statements: JobStatements, { lane, class: jobClass, start_tag }: NewRow): boolean {
  return statements.waitsBefore.get(lane, jobClass, start_tag) !== undefined
}

function insert(statements: JobStatements, row: NewRow, body: string, entries: string): JobRow {
  try {
    const seq = Number(statements.insert.run(row).lastInsertRowid)
    statements.insertContent.run(seq, body)
    statements.insertLog.run(seq, row.event_count, entries)
    return { ...row, seq }
  } catch (error) {
    throw isUniqueViolation(sqliteError(error)) ? duplicateId(row.id) : error
  }
}
