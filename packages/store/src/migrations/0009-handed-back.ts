import { type Kysely, sql } from 'kysely'

/**
 * Distinguishes attempts that a coordinator gave back from those that ended with its process, and counts groups without
 * their rows.
 */
export async function createHandedBack(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .alterTable('job')
    .addColumn('handed_back', 'integer', column => column.notNull().defaultTo(0))
    .execute()
  await sql`create index job_group_state on job (group_id, state) where group_id is not null`.execute(database)
}
