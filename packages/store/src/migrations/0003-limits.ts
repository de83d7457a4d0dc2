import { type Kysely, sql } from 'kysely'

export interface LimitTables {
  rate_limit: RateLimitTable
}

/** Counters of windows of time, as rate-limiter-flexible reads and writes them. */
export interface RateLimitTable {
  key: string
  points: number
  /** Unix milliseconds, and their fractions. */
  expire: number
}

export async function createLimits(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('rate_limit')
    .addColumn('key', 'text', column => column.primaryKey())
    .addColumn('points', 'bigint', column => column.notNull())
    .addColumn('expire', 'double precision')
    .execute()
  await database.schema.createIndex('rate_limit_expire').on('rate_limit').column('expire').execute()
  await sql`create index job_open_by_key on job (key_id, endpoint)
    where key_id is not null and hidden = 0 and state in ('queued', 'running')`.execute(database)
}
