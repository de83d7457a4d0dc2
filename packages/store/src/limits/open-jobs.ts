import type { Kysely } from 'kysely'
import type { StoreDatabase } from '../database/database.ts'
import type { Tables } from '../database/tables.ts'

/** Jobs of one key that are queued or running, on any coordinator; parts of others not counted. */
export class OpenJobs {
  readonly #kysely: Kysely<Tables>

  constructor({ kysely }: Pick<StoreDatabase, 'kysely'>) {
    this.#kysely = kysely
  }

  /** @param endpoint only those of this one */
  async count(keyId: string, endpoint?: string): Promise<number> {
    const { count } = await this.#kysely
      .selectFrom('job')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('key_id', '=', keyId)
      .where('hidden', '=', 0)
      .where('state', 'in', ['queued', 'running'])
      .$if(endpoint !== undefined, query => query.where('endpoint', '=', endpoint ?? ''))
      .executeTakeFirstOrThrow()
    return count
  }
}
