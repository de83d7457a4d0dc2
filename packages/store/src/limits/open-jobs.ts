import { type Kysely, sql } from 'kysely'
import type { StoreDatabase } from '../database/database.ts'
import type { Tables } from '../database/tables.ts'

/** Usage of the queued and running jobs of one key, on any coordinator. */
export interface OpenCount {
  /** Places of jobs that do something, whatever made them: parts of others and lines of batches too. */
  readonly places: number
  /** Requests that only wait for such jobs. */
  readonly waiting: number
}

/** Counts jobs that are queued or running. */
export class OpenJobs {
  readonly #kysely: Kysely<Tables>
  readonly #waitingLanes: readonly string[]

  /** @param waitingLanes of jobs that only wait for others */
  constructor({ kysely }: Pick<StoreDatabase, 'kysely'>, waitingLanes: readonly string[]) {
    this.#kysely = kysely
    this.#waitingLanes = waitingLanes
  }

  /** @param endpoint counts only jobs of this endpoint */
  async count(keyId: string, endpoint?: string): Promise<OpenCount> {
    const waits = sql`lane in (${sql.join(this.#waitingLanes)})`
    return await this.#kysely
      .selectFrom('job')
      .select([
        sql<number>`cast(coalesce(sum(case when ${waits} then 0 else places end), 0) as bigint)`.as('places'),
        sql<number>`cast(coalesce(sum(case when ${waits} then 1 - hidden else 0 end), 0) as bigint)`.as('waiting')
      ])
      .where('key_id', '=', keyId)
      .where(sql<boolean>`state in ('queued', 'running')`)
      .$if(endpoint !== undefined, query => query.where('endpoint', '=', endpoint ?? ''))
      .executeTakeFirstOrThrow()
  }
}
