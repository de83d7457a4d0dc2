import { type Generated, type Kysely, sql } from 'kysely'
import type { JsonColumn } from '../database/json-column.ts'
import type { DialectName } from '../database/migration.ts'
import type { JobClass, JobError, JobResult, JobState, JobUsage, JsonValue } from '../job.ts'

export interface JobTables {
  job: JobTable
  job_content: JobContentTable
  job_event: JobEventTable
  job_flow: JobFlowTable
  job_lane: JobLaneTable
}

/** Columns that are read and changed often, without long ones. */
export interface JobTable {
  /** Order of creation, and the name of the job within the database. */
  seq: Generated<number>
  id: string
  namespace: string
  endpoint: string
  key_id: string | null
  class: JobClass
  lane: string
  group_id: string | null
  custom_id: JsonColumn<string> | null
  hidden: 0 | 1
  idempotency_key: string | null
  idempotency_sha256: string | null
  expires_at_ms: number
  attempts_max: number
  state: JobState
  attempts: number
  interruptions: number
  /** Interruptions after which the coordinator went on. Since 0009. */
  handed_back: Generated<number>
  /** Nodes that were lost with it, over all attempts that ended otherwise than by a crash. Since 0010. */
  nodes_lost: Generated<number>
  cancel_requested: 0 | 1
  /** Not to be kept once its client has the answer. Since 0010. */
  unstored: Generated<0 | 1>
  /** How many places it may take at once. Since 0010. */
  places: Generated<number>
  /** Bytes counted in its namespace: the reservation until it ends, then its real size. Since 0010. */
  bytes: Generated<number>
  /** Bytes of its body, log and result so far. Since 0010. */
  used_bytes: Generated<number>
  /** What its client filed it under, as `encodeMetadata` writes it. Since 0012. */
  metadata: string | null
  event_count: number
  /** Its place in the queue of its lane and class: the virtual time at which it may begin. */
  start_tag: number
  owner: string | null
  lease_until_ms: number
  created_at_ms: number
  started_at_ms: number | null
  ended_at_ms: number | null
}

/** Columns that only readers of the whole job need. */
export interface JobContentTable {
  seq: number
  body: JsonColumn<JsonValue>
  result: JsonColumn<JobResult> | null
  error: JsonColumn<JobError> | null
  usage: JsonColumn<JobUsage> | null
}

/** One row a call that appended: entries that came together stay together. */
export interface JobEventTable {
  seq: number
  /** Number of the last entry. */
  number: number
  /** `[type, data]` of each. */
  entries: JsonColumn<readonly (readonly [type: string, data: JsonValue])[]>
}

/** When the last job of a key would end, in the virtual time of a lane and class. */
export interface JobFlowTable {
  lane: string
  class: JobClass
  flow: string
  finish_tag: number
}

/** The virtual time of a lane and class: the tag of the job begun last. */
export interface JobLaneTable {
  lane: string
  class: JobClass
  virtual_time: number
}

export async function createJobs(database: Kysely<unknown>, dialect: DialectName): Promise<void> {
  await createJob(database, dialect)
  await createLogs(database, dialect)
  await createQueues(database)
}

async function createJob(database: Kysely<unknown>, dialect: DialectName): Promise<void> {
  const table = database.schema.createTable('job')
  const keyed =
    dialect === 'sqlite'
      ? table.addColumn('seq', 'integer', column => column.primaryKey())
      : table.addColumn('seq', 'bigint', column => column.generatedByDefaultAsIdentity().primaryKey())
  await keyed
    .addColumn('id', 'text', column => column.notNull().unique())
    .addColumn('namespace', 'text', column => column.notNull())
    .addColumn('endpoint', 'text', column => column.notNull())
    .addColumn('key_id', 'text')
    .addColumn('class', 'text', column => column.notNull())
    .addColumn('lane', 'text', column => column.notNull())
    .addColumn('group_id', 'text')
    .addColumn('custom_id', 'text')
    .addColumn('hidden', 'integer', column => column.notNull())
    .addColumn('idempotency_key', 'text')
    .addColumn('idempotency_sha256', 'text')
    .addColumn('expires_at_ms', 'bigint', column => column.notNull())
    .addColumn('attempts_max', 'integer', column => column.notNull())
    .addColumn('state', 'text', column => column.notNull())
    .addColumn('attempts', 'integer', column => column.notNull())
    .addColumn('interruptions', 'integer', column => column.notNull())
    .addColumn('cancel_requested', 'integer', column => column.notNull())
    .addColumn('event_count', 'integer', column => column.notNull())
    .addColumn('start_tag', 'bigint', column => column.notNull())
    .addColumn('owner', 'text')
    .addColumn('lease_until_ms', 'bigint', column => column.notNull())
    .addColumn('created_at_ms', 'bigint', column => column.notNull())
    .addColumn('started_at_ms', 'bigint')
    .addColumn('ended_at_ms', 'bigint')
    // room in the page for the next version of a row, which then needs no new entries in the indexes
    .$call(table => (dialect === 'postgres' ? table.modifyEnd(sql`with (fillfactor = 80)`) : table))
    .execute()
  const indexes = [
    sql`create unique index job_idempotency on job (namespace, idempotency_key) where idempotency_key is not null`,
    sql`create index job_queue on job (lane, class, start_tag, seq) where state = 'queued'`,
    sql`create index job_deadline on job (expires_at_ms) where state = 'queued'`,
    sql`create index job_lease on job (lease_until_ms) where state = 'running'`,
    sql`create index job_listing on job (namespace, seq) where hidden = 0`,
    sql`create index job_group on job (group_id, seq) where group_id is not null`,
    sql`create index job_ended on job (ended_at_ms) where ended_at_ms is not null`
  ]
  for (const index of indexes) await index.execute(database)
}

async function createLogs(database: Kysely<unknown>, dialect: DialectName): Promise<void> {
  await database.schema
    .createTable('job_content')
    .addColumn('seq', dialect === 'sqlite' ? 'integer' : 'bigint', column => column.primaryKey())
    .addColumn('body', 'text', column => column.notNull())
    .addColumn('result', 'text')
    .addColumn('error', 'text')
    .addColumn('usage', 'text')
    .execute()
  await database.schema
    .createTable('job_event')
    .addColumn('seq', 'bigint', column => column.notNull())
    .addColumn('number', 'integer', column => column.notNull())
    .addColumn('entries', 'text', column => column.notNull())
    // on SQLite, rows are in the order of their arrival, and only the index by job is scattered: in a table ordered by
    // its key, a commit for a hundred jobs would write a hundred pages
    .addPrimaryKeyConstraint('job_event_key', ['seq', 'number'])
    .execute()
}

async function createQueues(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('job_flow')
    .addColumn('lane', 'text', column => column.notNull())
    .addColumn('class', 'text', column => column.notNull())
    .addColumn('flow', 'text', column => column.notNull())
    .addColumn('finish_tag', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('job_flow_key', ['lane', 'class', 'flow'])
    .execute()
  await database.schema
    .createTable('job_lane')
    .addColumn('lane', 'text', column => column.notNull())
    .addColumn('class', 'text', column => column.notNull())
    .addColumn('virtual_time', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('job_lane_key', ['lane', 'class'])
    .execute()
}
