import { type Kysely, sql } from 'kysely'
import type { DialectName } from '../database/migration.ts'

export interface StorageTables {
  namespace_bytes: NamespaceBytesTable
  byte_reservation: ByteReservationTable
}

/** How much a namespace has stored or reserved; the sum over its shards. */
export interface NamespaceBytesTable {
  namespace: string
  /** Spreads the writes of several connections over rows. */
  shard: number
  bytes: number
}

/** Bytes that a writer is about to write. */
export interface ByteReservationTable {
  id: string
  namespace: string
  bytes: number
  /** Unix milliseconds; by then it is renewed, or its writer is gone. */
  until_ms: number
}

/**
 * Counts the bytes that each namespace has stored. Triggers count, so storing or removing something cannot leave the
 * count wrong. A job counts with its reservation until it ends, then with its size.
 */
export async function createStorage(database: Kysely<unknown>, dialect: DialectName): Promise<void> {
  for (const [column, type, value] of JOB_COLUMNS) {
    await database.schema
      .alterTable('job')
      .addColumn(column, type, definition => definition.notNull().defaultTo(value))
      .execute()
  }
  await database.schema.alterTable('api_key').addColumn('subclouds', 'text').execute()
  await database.schema
    .createTable('namespace_bytes')
    .addColumn('namespace', 'text', column => column.notNull())
    .addColumn('shard', 'integer', column => column.notNull())
    .addColumn('bytes', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('namespace_bytes_key', ['namespace', 'shard'])
    .execute()
  await database.schema
    .createTable('byte_reservation')
    .addColumn('id', 'text', column => column.primaryKey())
    .addColumn('namespace', 'text', column => column.notNull())
    .addColumn('bytes', 'bigint', column => column.notNull())
    .addColumn('until_ms', 'bigint', column => column.notNull())
    .execute()
  const statements = [
    ...countWhatIsThere(dialect),
    'create index byte_reservation_until on byte_reservation (until_ms)',
    // parts of other jobs count too
    'drop index job_open_by_key',
    `create index job_open_by_key on job (key_id, endpoint) where key_id is not null and state in ('queued', 'running')`,
    'create index batch_output on batch (output_file_id) where output_file_id is not null',
    'create index batch_errors on batch (error_file_id) where error_file_id is not null',
    'create index job_unstored on job (ended_at_ms) where unstored = 1 and ended_at_ms is not null',
    // so that the sweep also sees rows made before the server's clock was set back
    ...(dialect === 'postgres'
      ? [`create index job_made on job (created_at_ms) where state in ('queued', 'running')`]
      : []),
    ...COUNTED.flatMap(table => byteTriggers(table, dialect))
  ]
  for (const statement of statements) await sql.raw(statement).execute(database)
}

const JOB_COLUMNS = [
  ['bytes', 'bigint', 0],
  ['used_bytes', 'bigint', 0],
  ['unstored', 'integer', 0],
  ['places', 'integer', 1]
] as const

/** Tables whose rows have a namespace and bytes. */
const COUNTED = ['job', 'file', 'byte_reservation']

function countWhatIsThere(dialect: DialectName): string[] {
  const size = (column: string): string =>
    dialect === 'sqlite' ? `coalesce(length(cast(${column} as blob)), 0)` : `coalesce(octet_length(${column}), 0)`
  return [
    `update job set used_bytes =
       coalesce((select ${size('body')} + ${size('result')} from job_content c where c.seq = job.seq), 0)
       + coalesce((select sum(${size('entries')}) from job_event e where e.seq = job.seq), 0)`,
    'update job set bytes = used_bytes',
    `insert into namespace_bytes (namespace, shard, bytes)
     select namespace, 0, sum(bytes)
     from (select namespace, bytes from job union all select namespace, bytes from file) one group by namespace`
  ]
}

/** Statements that count the bytes of a table's rows in their namespaces. */
export function byteTriggers(table: string, dialect: DialectName): string[] {
  return dialect === 'sqlite' ? sqliteTriggers(table) : postgresTriggers(table)
}

const ADD = 'on conflict (namespace, shard) do update set bytes = namespace_bytes.bytes + excluded.bytes'

function sqliteTriggers(table: string): string[] {
  const add = (namespace: string, bytes: string): string =>
    `insert into namespace_bytes (namespace, shard, bytes) values (${namespace}, 0, ${bytes}) ${ADD};`
  return [
    `create trigger ${table}_bytes_insert after insert on ${table} begin ${add('new.namespace', 'new.bytes')} end`,
    `create trigger ${table}_bytes_update after update of bytes on ${table} when new.bytes <> old.bytes
     begin ${add('new.namespace', 'new.bytes - old.bytes')} end`,
    `create trigger ${table}_bytes_delete after delete on ${table} begin ${add('old.namespace', '-old.bytes')} end`
  ]
}

/** Transactions of different connections wait for each other only where they meet in a shard. */
const SHARDS = 16

function postgresTriggers(table: string): string[] {
  return [
    `create function ${table}_bytes() returns trigger language plpgsql as $$
     declare
       one text := case when tg_op = 'DELETE' then old.namespace else new.namespace end;
       more bigint := case tg_op when 'INSERT' then new.bytes when 'DELETE' then -old.bytes else new.bytes - old.bytes end;
     begin
       insert into namespace_bytes (namespace, shard, bytes) values (one, pg_backend_pid() % ${SHARDS}, more) ${ADD};
       return null;
     end $$`,
    `create trigger ${table}_bytes_insert after insert on ${table} for each row execute function ${table}_bytes()`,
    `create trigger ${table}_bytes_update after update of bytes on ${table}
     for each row when (new.bytes <> old.bytes) execute function ${table}_bytes()`,
    `create trigger ${table}_bytes_delete after delete on ${table} for each row execute function ${table}_bytes()`
  ]
}
