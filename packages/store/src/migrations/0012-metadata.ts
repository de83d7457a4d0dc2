import { type Kysely, sql } from 'kysely'

/** What clients file jobs under, to find them again. */
export async function createMetadata(database: Kysely<unknown>): Promise<void> {
  await database.schema.alterTable('job').addColumn('metadata', 'text').execute()
  await sql.raw('create index job_filed on job (namespace, endpoint, seq) where metadata is not null').execute(database)
}
