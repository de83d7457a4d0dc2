import { type Kysely, sql } from 'kysely'
import type { DialectName } from '../database/migration.ts'
import type { JobState } from '../job.ts'

export interface UsageTables {
  job_usage: JobUsageTable
}

/** The usage of one job. It stays when the job is removed. */
export interface JobUsageTable {
  job_id: string
  namespace: string
  key_id: string | null
  endpoint: string
  lane: string
  hidden: 0 | 1
  state: JobState
  prompt_tokens: number
  completion_tokens: number
  ended_at_ms: number
}

/**
 * The database itself writes a job's usage, in the transaction that ends the job: there is no way to end one, and no
 * moment to crash in, that leaves it out, and its key is the job's, so it is there once.
 */
export async function createUsage(database: Kysely<unknown>, dialect: DialectName): Promise<void> {
  await database.schema
    .createTable('job_usage')
    .addColumn('job_id', 'text', column => column.primaryKey())
    .addColumn('namespace', 'text', column => column.notNull())
    .addColumn('key_id', 'text')
    .addColumn('endpoint', 'text', column => column.notNull())
    .addColumn('lane', 'text', column => column.notNull())
    .addColumn('hidden', 'integer', column => column.notNull())
    .addColumn('state', 'text', column => column.notNull())
    .addColumn('prompt_tokens', 'bigint', column => column.notNull())
    .addColumn('completion_tokens', 'bigint', column => column.notNull())
    .addColumn('ended_at_ms', 'bigint', column => column.notNull())
    .execute()
  await sql`create index job_usage_time on job_usage (ended_at_ms)`.execute(database)
  await sql`create index job_usage_namespace on job_usage (namespace, ended_at_ms)`.execute(database)
  for (const statement of dialect === 'sqlite' ? sqliteTriggers : postgresTriggers) {
    await sql.raw(statement).execute(database)
  }
}

const FINAL = "('succeeded', 'failed', 'cancelled', 'expired')"

const COLUMNS = `job_id, namespace, key_id, endpoint, lane, hidden, state, prompt_tokens, completion_tokens, ended_at_ms`

/** The stores write the two tables in whatever order, so each has its trigger. */
const sqliteTriggers = [
  `create trigger job_usage_end after update of state on job
   when new.state in ${FINAL} and old.state not in ${FINAL}
   begin
     insert into job_usage (${COLUMNS})
     select new.id, new.namespace, new.key_id, new.endpoint, new.lane, new.hidden, new.state,
       coalesce(json_extract(c.usage, '$.promptTokens'), 0), coalesce(json_extract(c.usage, '$.completionTokens'), 0),
       new.ended_at_ms
     from (select 1) left join job_content c on c.seq = new.seq
     where true
     on conflict (job_id) do nothing;
   end`,
  `create trigger job_usage_tokens after update of usage on job_content when new.usage is not null
   begin
     update job_usage set
       prompt_tokens = json_extract(new.usage, '$.promptTokens'),
       completion_tokens = json_extract(new.usage, '$.completionTokens')
     where job_id = (select id from job where seq = new.seq);
   end`
]

const postgresTriggers = [
  `create function job_usage_end() returns trigger language plpgsql as $$
   begin
     insert into job_usage (${COLUMNS})
     select new.id, new.namespace, new.key_id, new.endpoint, new.lane, new.hidden, new.state,
       coalesce((c.usage::json->>'promptTokens')::bigint, 0), coalesce((c.usage::json->>'completionTokens')::bigint, 0),
       new.ended_at_ms
     from (select 1) one left join job_content c on c.seq = new.seq
     on conflict (job_id) do nothing;
     return null;
   end $$`,
  `create trigger job_usage_end after update of state on job
   for each row when (new.state in ${FINAL} and old.state not in ${FINAL})
   execute function job_usage_end()`,
  `create function job_usage_tokens() returns trigger language plpgsql as $$
   begin
     update job_usage set
       prompt_tokens = (new.usage::json->>'promptTokens')::bigint,
       completion_tokens = (new.usage::json->>'completionTokens')::bigint
     where job_id = (select id from job where seq = new.seq);
     return null;
   end $$`,
  `create trigger job_usage_tokens after update of usage on job_content
   for each row when (new.usage is not null)
   execute function job_usage_tokens()`
]
