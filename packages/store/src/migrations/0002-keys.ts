import type { Kysely } from 'kysely'
import type { JsonColumn } from '../database/json-column.ts'
import type { JsonValue } from '../job.ts'

export interface KeyTables {
  api_key: ApiKeyTable
}

export interface ApiKeyTable {
  id: string
  name: string
  namespace: string
  scopes: JsonColumn<readonly string[]>
  limits: JsonColumn<JsonValue>
  secret_sha256: string
  previous_sha256: string | null
  previous_until_ms: number | null
  created_at_ms: number
  expires_at_ms: number | null
  revoked_at_ms: number | null
  last_used_at_ms: number | null
  /** Null: all. Since 0010. */
  subclouds: JsonColumn<readonly string[]> | null
}

export async function createKeys(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('api_key')
    .addColumn('id', 'text', column => column.primaryKey())
    .addColumn('name', 'text', column => column.notNull())
    .addColumn('namespace', 'text', column => column.notNull())
    .addColumn('scopes', 'text', column => column.notNull())
    .addColumn('limits', 'text', column => column.notNull())
    .addColumn('secret_sha256', 'text', column => column.notNull())
    .addColumn('previous_sha256', 'text')
    .addColumn('previous_until_ms', 'bigint')
    .addColumn('created_at_ms', 'bigint', column => column.notNull())
    .addColumn('expires_at_ms', 'bigint')
    .addColumn('revoked_at_ms', 'bigint')
    .addColumn('last_used_at_ms', 'bigint')
    .execute()
  await database.schema.createIndex('api_key_listing').on('api_key').columns(['created_at_ms', 'id']).execute()
}
