import { type Kysely, sql } from 'kysely'
import type { JsonColumn } from '../database/json-column.ts'
import type { DialectName } from '../database/migration.ts'
import { byteTriggers } from './0010-storage.ts'

export interface ConversationTables {
  conversation: ConversationTable
  conversation_item: ConversationItemTable
}

export interface ConversationTable {
  id: string
  namespace: string
  metadata: JsonColumn<Readonly<Record<string, string>>>
  created_at_ms: number
  /** Place of the item that is added next. */
  next_place: number
  /** Items that it has. */
  item_count: number
  /** All that it takes, its items included: they count in its namespace. */
  bytes: number
}

export interface ConversationItemTable {
  conversation_id: string
  /** Counts up; places of items that were removed stay empty. */
  place: number
  id: string
  item: JsonColumn<unknown>
  bytes: number
}

export async function createConversations(database: Kysely<unknown>, dialect: DialectName): Promise<void> {
  await database.schema
    .createTable('conversation')
    .addColumn('id', 'text', column => column.primaryKey())
    .addColumn('namespace', 'text', column => column.notNull())
    .addColumn('metadata', 'text', column => column.notNull())
    .addColumn('created_at_ms', 'bigint', column => column.notNull())
    .addColumn('next_place', 'bigint', column => column.notNull())
    .addColumn('item_count', 'bigint', column => column.notNull())
    .addColumn('bytes', 'bigint', column => column.notNull())
    .execute()
  await database.schema
    .createTable('conversation_item')
    .addColumn('conversation_id', 'text', column => column.notNull())
    .addColumn('place', 'bigint', column => column.notNull())
    .addColumn('id', 'text', column => column.notNull())
    .addColumn('item', 'text', column => column.notNull())
    .addColumn('bytes', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('conversation_item_key', ['conversation_id', 'place'])
    .addUniqueConstraint('conversation_item_id', ['conversation_id', 'id'])
    .execute()
  for (const statement of byteTriggers('conversation', dialect)) await sql.raw(statement).execute(database)
}
