import type { Kysely } from 'kysely'

export interface SecretTables {
  secret: SecretTable
}

/** What the coordinators on this database have in common and tell nobody. */
export interface SecretTable {
  name: string
  /** In base64. */
  value: string
}

export async function createSecrets(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('secret')
    .addColumn('name', 'text', column => column.primaryKey())
    .addColumn('value', 'text', column => column.notNull())
    .execute()
}
