import { randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { StoreDatabase } from '../database/database.ts'
import type { Tables } from '../database/tables.ts'

const SECRET_BYTES = 32

/** Secrets of all coordinators on one database, each drawn when it is first asked for. */
export class SecretStore {
  readonly #kysely: Kysely<Tables>

  constructor({ kysely }: Pick<StoreDatabase, 'kysely'>) {
    this.#kysely = kysely
  }

  /** The same 32 bytes for everybody who asks by this name. */
  async get(name: string): Promise<Uint8Array> {
    await this.#kysely
      .insertInto('secret')
      .values({ name, value: randomBytes(SECRET_BYTES).toString('base64') })
      .onConflict(conflict => conflict.column('name').doNothing())
      .execute()
    const { value } = await this.#kysely
      .selectFrom('secret')
      .select('value')
      .where('name', '=', name)
      .executeTakeFirstOrThrow()
    return Buffer.from(value, 'base64')
  }
}
