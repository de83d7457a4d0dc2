import type { SubcloudDefinition } from '@resultity/interface'
import type { Kysely } from 'kysely'
import type { StoreDatabase } from '../database/database.ts'
import { decodeJson, encodeJson } from '../database/json-column.ts'
import type { Tables } from '../database/tables.ts'

/** A subcloud that was made over the API. */
export interface StoredSubcloud {
  readonly name: string
  readonly definition: SubcloudDefinition
  readonly changedAtMs: number
}

/** Subclouds in a table, the same on both databases. */
export class SubcloudStore {
  readonly #kysely: Kysely<Tables>

  constructor({ kysely }: Pick<StoreDatabase, 'kysely'>) {
    this.#kysely = kysely
  }

  /** All of them, by name: an operator has some. */
  async list(): Promise<readonly StoredSubcloud[]> {
    const rows = await this.#kysely.selectFrom('subcloud').selectAll().orderBy('name').execute()
    return rows.map(({ name, definition, changed_at_ms: changedAtMs }) => {
      return { name, definition: decodeJson(definition), changedAtMs }
    })
  }

  /** Replaces one of the same name. */
  async put({ name, definition, changedAtMs }: StoredSubcloud): Promise<void> {
    const row = { name, definition: encodeJson(definition), changed_at_ms: changedAtMs }
    await this.#kysely
      .insertInto('subcloud')
      .values(row)
      .onConflict(conflict => conflict.column('name').doUpdateSet(row))
      .execute()
  }

  /** @returns whether there was one */
  async remove(name: string): Promise<boolean> {
    const { numDeletedRows } = await this.#kysely
      .deleteFrom('subcloud')
      .where('name', '=', name)
      .executeTakeFirstOrThrow()
    return numDeletedRows > 0n
  }
}
