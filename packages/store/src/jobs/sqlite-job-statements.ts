import type { Database } from 'better-sqlite3'
import { isSuspect } from './job-change.ts'
import type { JobContent, JobRow, SubmittedRow } from './job-row.ts'

const SUBMITTED_COLUMNS = [
  'id',
  'namespace',
  'endpoint',
  'key_id',
  'class',
  'lane',
  'group_id',
  'custom_id',
  'hidden',
  'idempotency_key',
  'idempotency_sha256',
  'attempts_max',
  'unstored',
  'metadata',
  'places'
] as const satisfies readonly (keyof SubmittedRow)[]

const STATE_COLUMNS = [
  'state',
  'attempts',
  'interruptions',
  'handed_back',
  'nodes_lost',
  'cancel_requested',
  'event_count',
  'bytes',
  'used_bytes',
  'owner',
  'lease_until_ms',
  'started_at_ms',
  'ended_at_ms'
] as const satisfies readonly (keyof JobRow)[]

const INSERTED_COLUMNS = [
  ...SUBMITTED_COLUMNS,
  ...STATE_COLUMNS,
  'start_tag',
  'created_at_ms',
  'expires_at_ms'
] as const

export type NewRow = Pick<JobRow, (typeof INSERTED_COLUMNS)[number]>

/** The part of a compiled statement that is used here. */
export interface Prepared<Bind extends unknown[], Row> {
  get(...parameters: Bind): Row | undefined
  all(...parameters: Bind): Row[]
  iterate(...parameters: Bind): IterableIterator<Row>
  run(...parameters: Bind): { readonly lastInsertRowid: number | bigint }
}

type Log = readonly [number: number, entries: string]

function compiler(database: Database) {
  return {
    one: <Bind extends unknown[], Row>(sql: string): Prepared<Bind, Row> => database.prepare<Bind, Row>(sql),
    /** A statement that returns one column. */
    value: <Bind extends unknown[], Value>(sql: string): Prepared<Bind, Value> =>
      database.prepare<Bind, Value>(sql).pluck(),
    array: <Bind extends unknown[], Row>(sql: string): Prepared<Bind, Row> => database.prepare<Bind, Row>(sql).raw()
  }
}

type Compiler = ReturnType<typeof compiler>

/** One job, its content and its log. */
function prepareRows({ one, value, array }: Compiler) {
  return {
    byId: one<[id: string], JobRow>('select * from job where id = ?'),
    byIdempotencyKey: one<[namespace: string, key: string], JobRow>(
      'select * from job where namespace = ? and idempotency_key = ?'
    ),
    content: one<[seq: number], JobContent>('select body, result, error, usage from job_content where seq = ?'),
    insert: one<[NewRow], never>(
      `insert into job (${INSERTED_COLUMNS.join(', ')}) values (${INSERTED_COLUMNS.map(name => `@${name}`).join(', ')})`
    ),
    insertContent: one<[seq: number, body: string], never>('insert into job_content (seq, body) values (?, ?)'),
    update: one<[JobRow], never>(
      `update job set ${STATE_COLUMNS.map(name => `${name} = @${name}`).join(', ')} where seq = @seq`
    ),
    updateLogSize: one<[count: number, usedBytes: number, seq: number], never>(
      'update job set event_count = ?, used_bytes = ? where seq = ?'
    ),
    updateContent: one<[{ seq: number } & Omit<JobContent, 'body'>], never>(
      `update job_content set result = @result, error = @error, usage = @usage where seq = @seq`
    ),
    insertLog: one<[seq: number, number: number, entries: string], never>(
      'insert into job_event (seq, number, entries) values (?, ?, ?)'
    ),
    logs: array<[id: string, after: number], Log>(
      `select number, entries from job_event
       where seq = (select seq from job where id = ?) and number > ? order by number`
    ),
    namespaceBytes: value<[namespace: string], number>('select sum(bytes) from namespace_bytes where namespace = ?')
  }
}

/** Places in the queues. */
function prepareQueues({ one, value }: Compiler) {
  return {
    virtualTime: value<[lane: string, jobClass: string], number>(
      'select virtual_time from job_lane where lane = ? and class = ?'
    ),
    advance: one<[lane: string, jobClass: string, tag: number], never>(
      `insert into job_lane (lane, class, virtual_time) values (?, ?, ?)
       on conflict do update set virtual_time = max(virtual_time, excluded.virtual_time)`
    ),
    takeTag: value<[{ lane: string; class: string; flow: string; virtualTime: number }], number>(
      `insert into job_flow (lane, class, flow, finish_tag) values (@lane, @class, @flow, @virtualTime + 1)
       on conflict do update set finish_tag = max(finish_tag, @virtualTime) + 1 returning finish_tag - 1`
    ),
    waitsBefore: value<[lane: string, jobClass: string, tag: number], 1>(
      `select 1 from job where state = 'queued' and lane = ? and class = ? and start_tag <= ? limit 1`
    ),
    next: one<[lane: string, jobClass: string, now: number, count: number], JobRow>(
      `select * from job where state = 'queued' and lane = ? and class = ? and expires_at_ms > ?
       order by start_tag, seq limit ?`
    ),
    nextUnsuspected: one<[lane: string, jobClass: string, now: number, count: number], JobRow>(
      `select * from job where state = 'queued' and lane = ? and class = ? and expires_at_ms > ? and not (${isSuspect})
       order by start_tag, seq limit ?`
    ),
    nextSuspect: one<[lane: string, jobClass: string, now: number], JobRow>(
      `select * from job where state = 'queued' and lane = ? and class = ? and expires_at_ms > ? and ${isSuspect}
       order by start_tag, seq limit 1`
    ),
    suspectsRun: value<[waitingLanes: string], 1>(
      `select 1 from job where state = 'running' and ${isSuspect} and lane not in (select value from json_each(?)) limit 1`
    ),
    forgetFlows: one<[], never>(
      `delete from job_flow where
         finish_tag <= (select virtual_time from job_lane l where l.lane = job_flow.lane and l.class = job_flow.class)
         or not exists (select 1 from job j
           where j.state = 'queued' and j.lane = job_flow.lane and j.class = job_flow.class)`
    )
  }
}

/** Jobs of a group, and of the groups that these are. */
const TREE = `with recursive tree (seq, id, ended) as (
  select seq, id, ended_at_ms is not null from job where group_id = ?
  union all
  select job.seq, job.id, job.ended_at_ms is not null from job join tree on job.group_id = tree.id)`

/** Many jobs at once. */
function prepareUpkeep({ one, value }: Compiler) {
  return {
    overdue: one<[now: number, limit: number], JobRow>(
      `select * from job where state = 'queued' and expires_at_ms <= ? limit ?`
    ),
    abandoned: one<[now: number, limit: number], JobRow>(
      `select * from job where state = 'running' and lease_until_ms <= ? limit ?`
    ),
    groupIds: one<[groupId: string, state: string], { readonly id: string }>(
      'select id from job where group_id = ? and state = ?'
    ),
    logGroupCancel: one<[entries: string, groupId: string], never>(
      `insert into job_event (seq, number, entries)
       select seq, event_count + 1, ? from job where group_id = ? and state = 'queued'`
    ),
    cancelQueued: one<[now: number, groupId: string], never>(
      `update job set state = 'cancelled', event_count = event_count + 1, bytes = used_bytes, ended_at_ms = ?
       where group_id = ? and state = 'queued'`
    ),
    askRunning: one<[groupId: string], never>(
      `update job set cancel_requested = 1 where group_id = ? and state = 'running'`
    ),
    ended: value<[before: number, limit: number], number>(
      'select seq from job where ended_at_ms is not null and ended_at_ms < ? order by ended_at_ms limit ?'
    ),
    endedUnstored: one<[before: number, limit: number], JobRow>(
      `select * from job where unstored = 1 and ended_at_ms is not null and ended_at_ms < ? order by ended_at_ms limit ?`
    ),
    /** Jobs of its whole group, groups inside it included, that have ended. */
    parts: value<[id: string, limit: number], number>(`${TREE} select seq from tree where ended = 1 limit ?`),
    forgetParts: one<[id: string], never>(`${TREE} update job set unstored = 1 where seq in (select seq from tree)`),
    forget: one<[seq: number], never>('update job set unstored = 1 where seq = ?'),
    moveDeadlines: one<[jumpMs: number], never>(
      `update job set expires_at_ms = expires_at_ms + ? where state in ('queued', 'running')`
    ),
    fromTheFuture: one<[{ readonly now: number }], never>(
      `update job set expires_at_ms = @now + (expires_at_ms - created_at_ms), created_at_ms = @now
       where state in ('queued', 'running') and created_at_ms > @now`
    ),
    deleteJob: one<[seq: number], never>('delete from job where seq = ?'),
    deleteContent: one<[seq: number], never>('delete from job_content where seq = ?'),
    deleteLogs: one<[seq: number], never>('delete from job_event where seq = ?')
  }
}

function prepare(database: Database) {
  const compile = compiler(database)
  return { ...prepareRows(compile), ...prepareQueues(compile), ...prepareUpkeep(compile) }
}

export type JobStatements = ReturnType<typeof prepare>

/** Compiled when first asked for: the tables are there once the migrations have run. */
export function lazyJobStatements(database: Database): () => JobStatements {
  let statements: JobStatements | undefined
  return () => {
    statements ??= prepare(database)
    return statements
  }
}
