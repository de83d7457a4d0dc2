import type { Kysely } from 'kysely'

/** Records of jobs and batch lines that may be the cause of ended processes. */
export async function createPoison(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .alterTable('job')
    .addColumn('nodes_lost', 'integer', column => column.notNull().defaultTo(0))
    .execute()
  await database.schema.alterTable('batch').addColumn('preparing', 'text').execute()
}
