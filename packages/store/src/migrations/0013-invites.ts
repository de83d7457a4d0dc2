import { type Kysely, sql } from 'kysely'
import type { DialectName } from '../database/migration.ts'

export interface InviteTables {
  network: NetworkTable
  invite: InviteTable
  invited_node: InvitedNodeTable
}

/** One row: what the coordinators on this database have in common. */
export interface NetworkTable {
  id: string
}

export interface InviteTable {
  id: string
  secret_sha256: string
  /** Peer id of the coordinator that signed it. */
  coordinator: string
  label: string | null
  created_at_ms: number
  expires_at_ms: number
  /** Null: any number. */
  uses_max: number | null
  uses: number
  revoked_at_ms: number | null
}

/** A node that joined by an invite, and may do so again. */
export interface InvitedNodeTable {
  peer_id: string
  invite_id: string
  joined_at_ms: number
}

export async function createInvites(database: Kysely<unknown>, dialect: DialectName): Promise<void> {
  await database.schema
    .createTable('network')
    .addColumn('id', 'text', column => column.primaryKey())
    .execute()
  const drawn = dialect === 'sqlite' ? 'lower(hex(randomblob(16)))' : `replace(gen_random_uuid()::text, '-', '')`
  await sql.raw(`insert into network (id) values (${drawn})`).execute(database)
  await database.schema
    .createTable('invite')
    .addColumn('id', 'text', column => column.primaryKey())
    .addColumn('secret_sha256', 'text', column => column.notNull())
    .addColumn('coordinator', 'text', column => column.notNull())
    .addColumn('label', 'text')
    .addColumn('created_at_ms', 'bigint', column => column.notNull())
    .addColumn('expires_at_ms', 'bigint', column => column.notNull())
    .addColumn('uses_max', 'integer')
    .addColumn('uses', 'integer', column => column.notNull().defaultTo(0))
    .addColumn('revoked_at_ms', 'bigint')
    .execute()
  await database.schema
    .createTable('invited_node')
    .addColumn('peer_id', 'text', column => column.primaryKey())
    .addColumn('invite_id', 'text', column => column.notNull())
    .addColumn('joined_at_ms', 'bigint', column => column.notNull())
    .execute()
}
