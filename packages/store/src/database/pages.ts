import { MeshError } from '@resultity/interface'
import { type RawBuilder, type SqlBool, sql } from 'kysely'

/** The last row of the page before. */
export interface Cursor {
  readonly id: string
  readonly createdAtMs: number
}

/** Whether a row comes after the cursor, where rows are listed by creation, and by id where that is the same. */
export function isAfter(cursor: Cursor | undefined, order: 'asc' | 'desc' = 'desc'): RawBuilder<SqlBool> {
  if (cursor === undefined) return sql<SqlBool>`true`
  const { createdAtMs, id } = cursor
  return order === 'asc'
    ? sql<SqlBool>`(created_at_ms, id) > (${createdAtMs}, ${id})`
    : sql<SqlBool>`(created_at_ms, id) < (${createdAtMs}, ${id})`
}

/** The row that `after` names, as a cursor. @throws MeshError `not_found` when there is none */
export async function cursorOf<Row extends Cursor>(
  after: string | undefined,
  what: string,
  find: (id: string) => Promise<Row | undefined>
): Promise<Row | undefined> {
  if (after === undefined) return undefined
  const row = await find(after)
  if (row !== undefined) return row
  throw new MeshError('not_found', `no ${what} has the id that "after" names`, {
    hint: `Give the id of a ${what} of the page before.`,
    details: { param: 'after' }
  })
}
