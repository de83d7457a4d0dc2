import type { SubcloudDefinition } from '@resultity/interface'
import type { Kysely } from 'kysely'
import type { JsonColumn } from '../database/json-column.ts'

export interface SubcloudTables {
  subcloud: SubcloudTable
}

export interface SubcloudTable {
  name: string
  definition: JsonColumn<SubcloudDefinition>
  changed_at_ms: number
}

export async function createSubclouds(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('subcloud')
    .addColumn('name', 'text', column => column.primaryKey())
    .addColumn('definition', 'text', column => column.notNull())
    .addColumn('changed_at_ms', 'bigint', column => column.notNull())
    .execute()
  // which subcloud its lines are for, unless they say
  await database.schema.alterTable('batch').addColumn('subcloud', 'text').execute()
}
