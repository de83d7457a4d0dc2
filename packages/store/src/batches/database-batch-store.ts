import { MeshError } from '@resultity/interface'
import type { Kysely, Selectable } from 'kysely'
import type { StoreDatabase } from '../database/database.ts'
import { decodeJson, encodeJson } from '../database/json-column.ts'
import { cursorOf, isAfter } from '../database/pages.ts'
import type { Tables } from '../database/tables.ts'
import type { BatchTable } from '../migrations/0006-batches.ts'
import {
  type Batch,
  type BatchChange,
  type BatchFilter,
  type BatchLineError,
  type BatchStatus,
  type BatchStore,
  type NewBatch,
  unfinishedStatuses
} from './batch.ts'

/** Rows of one insert: SQLite has at most 32,766 parameters in a statement. */
const ROWS_MAX = 500

/** Batches in tables, the same on both databases. */
export class DatabaseBatchStore implements BatchStore {
  readonly #kysely: Kysely<Tables>

  constructor({ kysely }: Pick<StoreDatabase, 'kysely'>) {
    this.#kysely = kysely
  }

  async add(batch: NewBatch): Promise<Batch> {
    await this.#kysely
      .insertInto('batch')
      .values(toRow(batch))
      .onConflict(conflict => conflict.column('id').doNothing())
      .execute()
    const known = await this.find(batch.id)
    if (known === undefined) throw new MeshError('internal', `batch ${batch.id} was removed while it was added`)
    return known
  }

  async find(id: string): Promise<Batch | undefined> {
    const row = await this.#kysely.selectFrom('batch').selectAll().where('id', '=', id).executeTakeFirst()
    return row === undefined ? undefined : toBatch(row)
  }

  async list(filter: BatchFilter): Promise<{ readonly batches: readonly Batch[]; readonly hasMore: boolean }> {
    const { namespace, limit } = filter
    const cursor = await cursorOf(filter.after, 'batch', id => this.find(id))
    const rows = await this.#kysely
      .selectFrom('batch')
      .selectAll()
      .where('namespace', '=', namespace)
      .where(isAfter(cursor))
      .orderBy('created_at_ms', 'desc')
      .orderBy('id', 'desc')
      .limit(limit + 1)
      .execute()
    return { batches: rows.slice(0, limit).map(toBatch), hasMore: rows.length > limit }
  }

  async change(
    id: string,
    from: readonly BatchStatus[],
    change: BatchChange,
    nowMs: number
  ): Promise<Batch | undefined> {
    for (;;) {
      const known = await this.find(id)
      if (known === undefined || !from.includes(known.status)) return undefined
      const { status = known.status } = change
      const entered = status === known.status ? known.entered : { ...known.entered, [status]: nowMs }
      const row = await this.#kysely
        .updateTable('batch')
        .set({ ...toColumns(change), entered: encodeJson(entered) })
        .where('id', '=', id)
        // only if the row is as it was read
        .where('status', '=', known.status)
        .returningAll()
        .executeTakeFirst()
      if (row !== undefined) return toBatch(row)
    }
  }

  async addLineErrors(batchId: string, errors: readonly BatchLineError[]): Promise<void> {
    for (let at = 0; at < errors.length; at += ROWS_MAX) {
      const rows = errors.slice(at, at + ROWS_MAX).map(({ line, customId, error }) => ({
        batch_id: batchId,
        line,
        custom_id: customId === null ? null : encodeJson(customId),
        error: encodeJson(error)
      }))
      await this.#kysely
        .insertInto('batch_line_error')
        .values(rows)
        .onConflict(conflict => conflict.columns(['batch_id', 'line']).doNothing())
        .execute()
    }
  }

  async lineErrors(batchId: string, afterLine: number, limit: number): Promise<readonly BatchLineError[]> {
    const rows = await this.#kysely
      .selectFrom('batch_line_error')
      .selectAll()
      .where('batch_id', '=', batchId)
      .where('line', '>', afterLine)
      .orderBy('line')
      .limit(limit)
      .execute()
    return rows.map(({ line, custom_id: customId, error }) => ({
      line,
      customId: orNull(customId, decodeJson),
      error: decodeJson(error)
    }))
  }

  async countLineErrors(batchId: string): Promise<number> {
    const { count } = await this.#kysely
      .selectFrom('batch_line_error')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('batch_id', '=', batchId)
      .executeTakeFirstOrThrow()
    return count
  }

  async jobsOf(fileId: string): Promise<readonly string[]> {
    const rows = await this.#kysely
      .selectFrom('batch')
      .select('job_id')
      .where('status', 'not in', unfinishedStatuses)
      .where(({ or, eb }) =>
        or([eb('input_file_id', '=', fileId), eb('output_file_id', '=', fileId), eb('error_file_id', '=', fileId)])
      )
      .execute()
    return rows.map(({ job_id: jobId }) => jobId)
  }

  async reads(fileId: string): Promise<boolean> {
    const row = await this.#kysely
      .selectFrom('batch')
      .select('id')
      .where('input_file_id', '=', fileId)
      .where('status', 'in', unfinishedStatuses)
      .executeTakeFirst()
    return row !== undefined
  }
}

function toRow(batch: NewBatch): Selectable<BatchTable> {
  return {
    id: batch.id,
    namespace: batch.namespace,
    key_id: batch.keyId,
    job_id: batch.jobId,
    endpoint: batch.endpoint,
    input_file_id: batch.inputFileId,
    completion_window: batch.completionWindow,
    metadata: orNull(batch.metadata, encodeJson),
    output_expires_seconds: batch.outputExpiresSeconds,
    subcloud: batch.subcloud,
    status: 'validating',
    entered: encodeJson({}),
    created_at_ms: batch.createdAtMs,
    expires_at_ms: batch.expiresAtMs,
    lines_total: null,
    lines_taken: 0,
    lines_completed: null,
    lines_failed: null,
    failures: null,
    output_file_id: null,
    error_file_id: null,
    preparing: null
  }
}

function toColumns(change: BatchChange): Partial<Selectable<BatchTable>> {
  const columns: { [Name in keyof BatchTable]?: BatchTable[Name] | undefined } = {
    status: change.status,
    lines_total: change.linesTotal,
    lines_taken: change.linesTaken,
    lines_completed: change.linesCompleted,
    lines_failed: change.linesFailed,
    failures: change.failures === undefined ? undefined : encodeJson(change.failures),
    output_file_id: change.outputFileId,
    error_file_id: change.errorFileId,
    preparing: change.preparing === undefined ? undefined : orNull(change.preparing, encodeJson)
  }
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined))
}

function toBatch(row: Selectable<BatchTable>): Batch {
  return {
    id: row.id,
    namespace: row.namespace,
    keyId: row.key_id,
    jobId: row.job_id,
    endpoint: row.endpoint,
    inputFileId: row.input_file_id,
    completionWindow: row.completion_window,
    metadata: orNull(row.metadata, decodeJson),
    outputExpiresSeconds: row.output_expires_seconds,
    subcloud: row.subcloud,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
    status: row.status,
    entered: decodeJson(row.entered),
    linesTotal: row.lines_total,
    linesTaken: row.lines_taken,
    linesCompleted: row.lines_completed,
    linesFailed: row.lines_failed,
    failures: orNull(row.failures, decodeJson),
    outputFileId: row.output_file_id,
    errorFileId: row.error_file_id,
    preparing: orNull(row.preparing, decodeJson)
  }
}

function orNull<From, To>(value: From | null, convert: (value: From) => To): To | null {
  return value === null ? null : convert(value)
}
