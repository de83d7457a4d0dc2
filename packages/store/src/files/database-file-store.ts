import { type Kysely, type Selectable, sql } from 'kysely'
import { unfinishedStatuses } from '../batches/batch.ts'
import type { StoreDatabase } from '../database/database.ts'
import { decodeJson, encodeJson } from '../database/json-column.ts'
import { cursorOf, isAfter } from '../database/pages.ts'
import type { Tables } from '../database/tables.ts'
import type { FileTable } from '../migrations/0006-batches.ts'
import { type FileFilter, type FileStore, REQUEST_FILE, type StoredFile } from './stored-file.ts'

/** Ids in one statement. */
const IDS_MAX = 500

/** Files in a table, the same on both databases. */
export class DatabaseFileStore implements FileStore {
  readonly #kysely: Kysely<Tables>

  constructor({ kysely }: Pick<StoreDatabase, 'kysely'>) {
    this.#kysely = kysely
  }

  async put(file: StoredFile): Promise<void> {
    const row = toRow(file)
    await this.#kysely
      .insertInto('file')
      .values(row)
      .onConflict(conflict => conflict.column('id').doUpdateSet(row))
      .execute()
  }

  async find(id: string): Promise<StoredFile | undefined> {
    const row = await this.#kysely.selectFrom('file').selectAll().where('id', '=', id).executeTakeFirst()
    return row === undefined ? undefined : toFile(row)
  }

  async list(filter: FileFilter): Promise<{ readonly files: readonly StoredFile[]; readonly hasMore: boolean }> {
    const { namespace, purpose, order = 'desc', limit } = filter
    const cursor = await cursorOf(filter.after, 'file', id => this.find(id))
    const rows = await this.#kysely
      .selectFrom('file')
      .selectAll()
      .where('namespace', '=', namespace)
      .where('purpose', '!=', REQUEST_FILE)
      .$if(purpose !== undefined, query => query.where('purpose', '=', purpose ?? ''))
      .where(isAfter(cursor, order))
      .orderBy('created_at_ms', order)
      .orderBy('id', order)
      .limit(limit + 1)
      .execute()
    return { files: rows.slice(0, limit).map(toFile), hasMore: rows.length > limit }
  }

  async bytesOf(namespace: string): Promise<number> {
    const { bytes } = await this.#kysely
      .selectFrom('file')
      .select(sql<number>`cast(coalesce(sum(bytes), 0) as bigint)`.as('bytes'))
      .where('namespace', '=', namespace)
      .executeTakeFirstOrThrow()
    return bytes
  }

  async remove(id: string): Promise<boolean> {
    const { numDeletedRows } = await this.#kysely.deleteFrom('file').where('id', '=', id).executeTakeFirstOrThrow()
    return numDeletedRows > 0n
  }

  async expired(nowMs: number, limit: number): Promise<readonly StoredFile[]> {
    const rows = await this.#kysely
      .selectFrom('file')
      .selectAll()
      .where('expires_at_ms', '<=', nowMs)
      .where('id', 'not in', query =>
        query.selectFrom('batch').select('input_file_id').where('status', 'in', unfinishedStatuses)
      )
      .limit(limit)
      .execute()
    return rows.map(toFile)
  }

  async kept(contentIds: readonly string[]): Promise<ReadonlySet<string>> {
    const kept = new Set<string>()
    for (let at = 0; at < contentIds.length; at += IDS_MAX) {
      const rows = await this.#kysely
        .selectFrom('file')
        .select('content_id')
        .where('content_id', 'in', contentIds.slice(at, at + IDS_MAX))
        .execute()
      for (const row of rows) kept.add(row.content_id)
    }
    return kept
  }
}

function toRow(file: StoredFile): Selectable<FileTable> {
  return {
    id: file.id,
    content_id: file.contentId,
    namespace: file.namespace,
    filename: encodeJson(file.filename),
    purpose: file.purpose,
    bytes: file.bytes,
    created_at_ms: file.createdAtMs,
    expires_at_ms: file.expiresAtMs
  }
}

function toFile(row: Selectable<FileTable>): StoredFile {
  return {
    id: row.id,
    contentId: row.content_id,
    namespace: row.namespace,
    filename: decodeJson(row.filename),
    purpose: row.purpose,
    bytes: row.bytes,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms
  }
}
