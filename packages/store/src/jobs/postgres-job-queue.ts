import type { Kysely } from 'kysely'
import type { Tables } from '../database/tables.ts'
import type { JobClass } from '../job.ts'
import type { ClaimRequest, JobNotice } from '../job-store.ts'
import { requireRoom } from '../storage/byte-quota.ts'
import type { Settled } from './batches.ts'
import { isSuspect, type JobLimits } from './job-change.ts'
import { duplicateId, idempotencyConflict } from './job-refusals.ts'
import { flowOf, type JobContent, type JobRow, type SubmittedRow } from './job-row.ts'
import { contentsOf } from './postgres-job-rows.ts'
import { inTransaction, notify, rowsOf, serverNow } from './postgres-transactions.ts'
import type { Begin, StoredJob } from './sqlite-job-messages.ts'

export interface SubmitTask {
  readonly submitted: SubmittedRow
  readonly begin: Begin | null
}

export interface SubmitDone {
  readonly row: JobRow
  /** Content, only for a job that was stored before. */
  readonly content: JobContent | null
  readonly begun: boolean
}

interface Placed {
  readonly task: SubmitTask
  readonly startTag: number
  readonly begun: boolean
}

/**
 * Stores jobs that arrived together. A refused job gets its error and does not affect the others.
 *
 * @param bytesMax limit of each namespace
 * @param check sees the results before they are final; nothing is stored when it throws
 */
export function submitJobs(
  database: Kysely<Tables>,
  from: string,
  tasks: readonly SubmitTask[],
  bytesMax: number,
  check: (settled: readonly Settled<SubmitDone>[]) => void = () => undefined
): Promise<readonly Settled<SubmitDone>[]> {
  return inTransaction(database, async transaction => {
    const refused = await refusals(transaction, tasks, bytesMax)
    const placed = await place(transaction, tasks)
    const added = await insert(
      transaction,
      placed.filter(({ task }) => !refused.has(task))
    )
    const rest = tasks.filter(({ submitted }) => !added.has(submitted.id))
    const known = await storedBefore(transaction, rest)
    await notify(transaction, from, noticesOf([...added.values()]))
    // an id that comes twice at once is stored for the first of them
    const given = new Set<string>()
    const settled = placed.map(({ task, begun }): Settled<SubmitDone> => {
      const { submitted } = task
      const row = added.get(submitted.id)
      if (row !== undefined && !given.has(submitted.id)) {
        given.add(submitted.id)
        return { value: { row, content: null, begun } }
      }
      return settleKnown(submitted, known, refused.get(task))
    })
    check(settled)
    return settled
  })
}

/** Jobs that there is no room for. Jobs stored on other coordinators at the same time are counted by later ones. */
async function refusals(
  transaction: Kysely<Tables>,
  tasks: readonly SubmitTask[],
  bytesMax: number
): Promise<ReadonlyMap<SubmitTask, unknown>> {
  const refused = new Map<SubmitTask, unknown>()
  if (bytesMax === Number.MAX_SAFE_INTEGER) return refused
  const rows = await rowsOf<{ readonly namespace: string; readonly bytes: number }>(
    transaction,
    'select namespace, sum(bytes) as bytes from namespace_bytes where namespace = any($1::text[]) group by namespace',
    [[...new Set(tasks.map(({ submitted }) => submitted.namespace))]]
  )
  const there = new Map(rows.map(({ namespace, bytes }) => [namespace, bytes]))
  for (const task of tasks) {
    const { namespace, bytes } = task.submitted
    const before = there.get(namespace) ?? 0
    try {
      requireRoom(before, bytes, bytesMax)
      there.set(namespace, before + bytes)
    } catch (error) {
      refused.set(task, error)
    }
  }
  return refused
}

/** Begins the jobs that come next; those that another coordinator is just taking are passed over. */
export function claimJobs(
  database: Kysely<Tables>,
  from: string,
  { owner, leaseMs }: Begin,
  claimRequests: readonly ClaimRequest[],
  { waitingLanes = [] }: JobLimits
): Promise<readonly StoredJob[]> {
  return inTransaction(database, async transaction => {
    const rows: JobRow[] = []
    // in one order, for the rows of the lanes' times
    for (const { lane, class: jobClass, count } of claimRequests.toSorted(byLane)) {
      const claim = (most: number, which: ClaimedKind) =>
        rowsOf<JobRow>(transaction, claimStatement, [lane, jobClass, most, owner, leaseMs, which, waitingLanes])
      if (waitingLanes.includes(lane)) rows.push(...(await claim(count, 'any')))
      else {
        const suspects = count === 0 ? [] : await claim(1, 'suspect')
        rows.push(...suspects, ...(await claim(count - suspects.length, 'unsuspected')))
      }
    }
    const contents = await contentsOf(
      transaction,
      rows.map(({ seq }) => seq)
    )
    await notify(
      transaction,
      from,
      rows.map(({ id }) => ({ type: 'changed', jobId: id }))
    )
    return rows.flatMap(row => {
      const content = contents.get(row.seq)
      return content === undefined ? [] : [{ row, content }]
    })
  })
}

/** Which jobs a claim may take. Of suspect jobs ({@link isSuspect}), one is claimed when none runs. */
type ClaimedKind = 'any' | 'suspect' | 'unsuspected'

const claimStatement = `
  with moment as materialized (select ${serverNow} as ms),
  next as materialized (
    select seq from job
    where state = 'queued' and lane = $1 and class = $2 and expires_at_ms > (select ms from moment)
      and case $6 when 'any' then true when 'unsuspected' then not (${isSuspect}) else ${isSuspect} and not exists (
        select 1 from job running where running.state = 'running' and running.interruptions > running.handed_back
          and running.lane <> all ($7::text[])) end
    order by start_tag, seq limit $3 for update skip locked
  ), begun as (
    update job set
      state = 'running', owner = $4, attempts = attempts + 1, lease_until_ms = moment.ms + $5::bigint,
      event_count = event_count + case when attempts = 0 then 1 else 0 end,
      started_at_ms = coalesce(started_at_ms, moment.ms)
    from next, moment where job.seq = next.seq returning job.*
  ), logged as (
    insert into job_event (seq, number, entries)
    select seq, event_count, '[["started",null]]' from begun where attempts = 1
  ), advanced as (
    insert into job_lane (lane, class, virtual_time)
    select lane, class, max(start_tag) from begun group by lane, class
    on conflict (lane, class) do update set virtual_time = greatest(job_lane.virtual_time, excluded.virtual_time)
  )
  select * from begun order by start_tag, seq`

/** Takes places in the queues, as `sqlite-job-queue.ts` does one by one; the rows of the flows are locked by that. */
async function place(transaction: Kysely<Tables>, tasks: readonly SubmitTask[]): Promise<readonly Placed[]> {
  const names = tasks.map(({ submitted }) => ({
    lane: submitted.lane,
    class: submitted.class,
    flow: flowOf(submitted)
  }))
  const flows = await rowsOf<{ lane: string; class: JobClass; flow: string; first: number }>(
    transaction,
    placeStatement,
    [JSON.stringify(names)]
  )
  const next = new Map(flows.map(({ first, ...flow }) => [keyOf(flow.lane, flow.class, flow.flow), first]))
  const heads = tasks.some(({ begin }) => begin !== null) ? await headsOf(transaction, names) : new Map()
  return tasks.map((task, index) => {
    const name = names[index]
    const flow = keyOf(name?.lane, name?.class, name?.flow)
    const queue = keyOf(name?.lane, name?.class)
    const startTag = next.get(flow) ?? 0
    next.set(flow, startTag + 1)
    const head: number = heads.get(queue) ?? Number.POSITIVE_INFINITY
    const begun = task.begin !== null && head > startTag
    if (!begun) heads.set(queue, Math.min(head, startTag))
    return { task, startTag, begun }
  })
}

const placeStatement = `
  with wanted as (
    select lane, class, flow, count(*) as jobs
    from json_to_recordset($1::json) as w(lane text, class text, flow text) group by lane, class, flow
  )
  insert into job_flow (lane, class, flow, finish_tag)
  select w.lane, w.class, w.flow, coalesce(l.virtual_time, 0) + w.jobs
  from wanted w left join job_lane l on l.lane = w.lane and l.class = w.class
  order by w.lane, w.class, w.flow
  on conflict (lane, class, flow) do update set finish_tag = greatest(
    excluded.finish_tag,
    job_flow.finish_tag + (select jobs from wanted w
      where w.lane = excluded.lane and w.class = excluded.class and w.flow = excluded.flow))
  returning lane, class, flow, finish_tag - (select jobs from wanted w
    where w.lane = job_flow.lane and w.class = job_flow.class and w.flow = job_flow.flow) as first`

/** The tag of the first job that waits, of each lane and class. */
async function headsOf(
  transaction: Kysely<Tables>,
  names: readonly { readonly lane: string; readonly class: JobClass }[]
): Promise<Map<string, number>> {
  const rows = await rowsOf<{ lane: string; class: JobClass; head: number | null }>(
    transaction,
    `select lane, class, (select min(start_tag) from job
       where state = 'queued' and job.lane = q.lane and job.class = q.class) as head
     from (select distinct lane, class from json_to_recordset($1::json) as q(lane text, class text)) q`,
    [JSON.stringify(names)]
  )
  return new Map(
    rows.flatMap(({ lane, class: jobClass, head }) => (head === null ? [] : [[keyOf(lane, jobClass), head]]))
  )
}

async function insert(transaction: Kysely<Tables>, placed: readonly Placed[]): Promise<ReadonlyMap<string, JobRow>> {
  const firsts = new Map(placed.toReversed().map(one => [one.task.submitted.id, one]))
  const input = placed
    .filter(one => firsts.get(one.task.submitted.id) === one)
    .map(({ task, startTag, begun }) => ({
      ...task.submitted,
      start_tag: startTag,
      owner: begun ? task.begin?.owner : null,
      lease_ms: begun ? task.begin?.leaseMs : null
    }))
  const rows = await rowsOf<JobRow>(transaction, insertStatement, [JSON.stringify(input)])
  return new Map(rows.map(row => [row.id, row]))
}

const insertStatement = `
  with moment as materialized (select ${serverNow} as ms),
  input as materialized (
    select * from json_to_recordset($1::json) as i(
      id text, namespace text, endpoint text, key_id text, class text, lane text, group_id text, custom_id text,
      hidden integer, idempotency_key text, idempotency_sha256 text, wait_ms bigint, attempts_max integer,
      unstored integer, metadata text, places integer, bytes bigint, used_bytes bigint, start_tag bigint, owner text, lease_ms bigint, body text)
  ), added as (
    insert into job (id, namespace, endpoint, key_id, class, lane, group_id, custom_id, hidden, idempotency_key,
      idempotency_sha256, expires_at_ms, attempts_max, unstored, metadata, places, bytes, used_bytes, start_tag, state, attempts, interruptions, cancel_requested,
      event_count, owner, lease_until_ms, created_at_ms, started_at_ms)
    select id, namespace, endpoint, key_id, class, lane, group_id, custom_id, hidden, idempotency_key,
      idempotency_sha256, ms + wait_ms, attempts_max, unstored, metadata, places, bytes, used_bytes, start_tag,
      case when owner is null then 'queued' else 'running' end, case when owner is null then 0 else 1 end, 0, 0,
      case when owner is null then 1 else 2 end, owner, coalesce(ms + lease_ms, 0), ms,
      case when owner is null then null else ms end
    from input, moment
    on conflict do nothing returning *
  ), filled as (
    insert into job_content (seq, body)
    select added.seq, input.body from added join input using (id)
  ), logged as (
    insert into job_event (seq, number, entries)
    select seq, event_count,
      case when owner is null then '[["queued",null]]' else '[["queued",null],["started",null]]' end
    from added
  ), advanced as (
    insert into job_lane (lane, class, virtual_time)
    select lane, class, max(start_tag) from added where owner is not null group by lane, class order by lane, class
    on conflict (lane, class) do update set virtual_time = greatest(job_lane.virtual_time, excluded.virtual_time)
  )
  select * from added`

async function storedBefore(
  transaction: Kysely<Tables>,
  tasks: readonly SubmitTask[]
): Promise<ReadonlyMap<string, StoredJob>> {
  const keys = tasks.flatMap(({ submitted: { namespace, idempotency_key } }) =>
    idempotency_key === null ? [] : [{ namespace, idempotency_key }]
  )
  if (keys.length === 0) return new Map()
  const rows = await rowsOf<JobRow & JobContent>(
    transaction,
    `select job.*, c.body, c.result, c.error, c.usage
     from (select distinct namespace, idempotency_key
       from json_to_recordset($1::json) as k(namespace text, idempotency_key text)) k
     join job using (namespace, idempotency_key) join job_content c using (seq)`,
    [JSON.stringify(keys)]
  )
  return new Map(rows.map(row => [keyOf(row.namespace, row.idempotency_key), { row, content: row }]))
}

function settleKnown(
  { id, namespace, idempotency_key, idempotency_sha256 }: SubmittedRow,
  known: ReadonlyMap<string, StoredJob>,
  refusal: unknown
): Settled<SubmitDone> {
  const before = idempotency_key === null ? undefined : known.get(keyOf(namespace, idempotency_key))
  if (before === undefined) return { error: refusal ?? duplicateId(id) }
  if (before.row.idempotency_sha256 !== idempotency_sha256) return { error: idempotencyConflict(idempotency_key ?? '') }
  return { value: { ...before, begun: false } }
}

function noticesOf(added: readonly JobRow[]): readonly JobNotice[] {
  const lanes = new Set(added.filter(({ state }) => state === 'queued').map(({ lane }) => lane))
  return [...lanes].map(lane => ({ type: 'queued', lane }))
}

function byLane(a: ClaimRequest, b: ClaimRequest): number {
  return a.lane === b.lane ? (a.class < b.class ? -1 : 1) : a.lane < b.lane ? -1 : 1
}

function keyOf(...parts: readonly (string | null | undefined)[]): string {
  return JSON.stringify(parts)
}
