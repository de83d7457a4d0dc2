import { type Kysely, sql } from 'kysely'
import type { BatchFailure, BatchPreparing, BatchStatus } from '../batches/batch.ts'
import type { JsonColumn } from '../database/json-column.ts'
import type { JobError } from '../job.ts'

export interface BatchTables {
  file: FileTable
  batch: BatchTable
  batch_line_error: BatchLineErrorTable
}

/** Metadata of a file; its bytes are in the content store. */
export interface FileTable {
  id: string
  content_id: string
  namespace: string
  filename: JsonColumn<string>
  purpose: string
  bytes: number
  created_at_ms: number
  expires_at_ms: number | null
}

export interface BatchTable {
  id: string
  namespace: string
  key_id: string | null
  job_id: string
  endpoint: string
  input_file_id: string
  completion_window: string
  metadata: JsonColumn<Readonly<Record<string, string>>> | null
  output_expires_seconds: number | null
  /** Subcloud of the batch. Since 0007. */
  subcloud: string | null
  status: BatchStatus
  /** When it entered each status, in Unix milliseconds. */
  entered: JsonColumn<Partial<Record<BatchStatus, number>>>
  created_at_ms: number
  expires_at_ms: number
  /** Null until they are counted. */
  lines_total: number | null
  /** Lines from the first on that became jobs or errors. */
  lines_taken: number
  lines_completed: number | null
  lines_failed: number | null
  failures: JsonColumn<readonly BatchFailure[]> | null
  output_file_id: string | null
  error_file_id: string | null
  /** Lines in preparation. Since 0010. */
  preparing: JsonColumn<BatchPreparing> | null
}

/** A line that never became a job. */
export interface BatchLineErrorTable {
  batch_id: string
  line: number
  custom_id: JsonColumn<string> | null
  error: JsonColumn<JobError>
}

export async function createBatches(database: Kysely<unknown>): Promise<void> {
  await createFile(database)
  await database.schema
    .createTable('batch')
    .addColumn('id', 'text', column => column.primaryKey())
    .addColumn('namespace', 'text', column => column.notNull())
    .addColumn('key_id', 'text')
    .addColumn('job_id', 'text', column => column.notNull())
    .addColumn('endpoint', 'text', column => column.notNull())
    .addColumn('input_file_id', 'text', column => column.notNull())
    .addColumn('completion_window', 'text', column => column.notNull())
    .addColumn('metadata', 'text')
    .addColumn('output_expires_seconds', 'integer')
    .addColumn('status', 'text', column => column.notNull())
    .addColumn('entered', 'text', column => column.notNull())
    .addColumn('created_at_ms', 'bigint', column => column.notNull())
    .addColumn('expires_at_ms', 'bigint', column => column.notNull())
    .addColumn('lines_total', 'integer')
    .addColumn('lines_taken', 'integer', column => column.notNull())
    .addColumn('lines_completed', 'integer')
    .addColumn('lines_failed', 'integer')
    .addColumn('failures', 'text')
    .addColumn('output_file_id', 'text')
    .addColumn('error_file_id', 'text')
    .execute()
  await database.schema
    .createTable('batch_line_error')
    .addColumn('batch_id', 'text', column => column.notNull())
    .addColumn('line', 'integer', column => column.notNull())
    .addColumn('custom_id', 'text')
    .addColumn('error', 'text', column => column.notNull())
    .addPrimaryKeyConstraint('batch_line_error_key', ['batch_id', 'line'])
    .execute()
  const indexes = [
    sql`create index batch_listing on batch (namespace, created_at_ms, id)`,
    sql`create index batch_input on batch (input_file_id)`
  ]
  for (const index of indexes) await index.execute(database)
}

async function createFile(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('file')
    .addColumn('id', 'text', column => column.primaryKey())
    .addColumn('content_id', 'text', column => column.notNull().unique())
    .addColumn('namespace', 'text', column => column.notNull())
    .addColumn('filename', 'text', column => column.notNull())
    .addColumn('purpose', 'text', column => column.notNull())
    .addColumn('bytes', 'bigint', column => column.notNull())
    .addColumn('created_at_ms', 'bigint', column => column.notNull())
    .addColumn('expires_at_ms', 'bigint')
    .execute()
  const indexes = [
    sql`create index file_listing on file (namespace, created_at_ms, id)`,
    sql`create index file_expiry on file (expires_at_ms) where expires_at_ms is not null`
  ]
  for (const index of indexes) await index.execute(database)
}
