import { MeshError } from '@resultity/interface'
import type { Kysely, Selectable } from 'kysely'
import { unfinishedStatuses } from '../batches/batch.ts'
import type { StoreDatabase } from '../database/database.ts'
import { decodeJson, encodeJson } from '../database/json-column.ts'
import type { Tables } from '../database/tables.ts'
import type { FileTable } from '../migrations/0006-batches.ts'
import type { FileFilter, FileStore, StoredFile } from './stored-file.ts'

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
    const after = filter.after === undefined ? undefined : await this.#cursor(filter.after)
    const rows = await this.#kysely
      .selectFrom('file')
      .selectAll()
      .where('namespace', '=', namespace)
      .$if(purpose !== undefined, query => query.where('purpose', '=', purpose ?? ''))
      .$if(after !== undefined, query =>
        query.where(({ eb, refTuple, tuple }) =>
          eb(
            refTuple('created_at_ms', 'id'),
            order === 'asc' ? '>' : '<',
            tuple(after?.createdAtMs ?? 0, after?.id ?? '')
          )
        )
      )
      .orderBy('created_at_ms', order)
      .orderBy('id', order)
      .limit(limit + 1)
      .execute()
    return { files: rows.slice(0, limit).map(toFile), hasMore: rows.length > limit }
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

  async #cursor(id: string): Promise<StoredFile> {
    const file = await this.find(id)
    if (file !== undefined) return file
    throw new MeshError('not_found', 'no file has the id that "after" names', {
      hint: 'Give the id of a file of the page before.',
      details: { param: 'after' }
    })
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
