import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { StoreDatabase } from '../database/database.ts'
import type { Tables } from '../database/tables.ts'

/** Dimensions that usage can be summed by. A day is UTC's. */
export const usageGroups = ['key', 'namespace', 'lane', 'endpoint', 'day', 'request'] as const
export type UsageGroup = (typeof usageGroups)[number]

export interface UsageFilter {
  /** Jobs that ended from `fromMs` until before `toMs`. */
  readonly fromMs: number
  readonly toMs: number
  readonly namespace?: string
  readonly keyId?: string
  /** And those that end with a colon and it. */
  readonly lane?: string
  /** None: one sum of everything. */
  readonly groupBy: readonly UsageGroup[]
  /** Most rows. */
  readonly limit: number
}

/** One sum, with the values that it is of. */
export interface UsageSum {
  readonly key?: string | null
  readonly namespace?: string
  readonly lane?: string
  readonly endpoint?: string
  /** Days since the beginning of 1970. */
  readonly day?: number
  /** Id of a job. */
  readonly request?: string
  /** Jobs that clients sent; parts of others are not counted. */
  readonly requests: number
  /** Of these, how many did not succeed. */
  readonly failures: number
  readonly promptTokens: number
  readonly completionTokens: number
}

const columns: Readonly<Record<UsageGroup, RawBuilder<unknown>>> = {
  key: sql`key_id`,
  namespace: sql`namespace`,
  lane: sql`lane`,
  endpoint: sql`endpoint`,
  // whole numbers divide into whole numbers on both databases, as long as neither is a parameter
  day: sql`ended_at_ms / 86400000`,
  request: sql`job_id`
}

/** Usage of jobs, which the database records when they end. */
export class UsageLedger {
  readonly #kysely: Kysely<Tables>
  readonly #waitingLanes: readonly string[]

  /** @param waitingLanes of jobs that only wait for others: what those took is counted, and not a second time */
  constructor({ kysely }: Pick<StoreDatabase, 'kysely'>, waitingLanes: readonly string[]) {
    this.#kysely = kysely
    this.#waitingLanes = waitingLanes
  }

  /** Sums, ordered by their dimensions. */
  async report(filter: UsageFilter): Promise<{ readonly sums: readonly UsageSum[]; readonly hasMore: boolean }> {
    const { fromMs, toMs, namespace, keyId, lane, limit } = filter
    const groups = [...new Set(filter.groupBy)].map(group => ({ group, column: columns[group] }))
    const own = sql`case when lane in (${sql.join(this.#waitingLanes)}) then 0 else 1 end`
    const conditions = [
      sql`ended_at_ms >= ${fromMs}`,
      sql`ended_at_ms < ${toMs}`,
      ...(namespace === undefined ? [] : [sql`namespace = ${namespace}`]),
      ...(keyId === undefined ? [] : [sql`key_id = ${keyId}`]),
      ...(lane === undefined ? [] : [ofLane(lane)])
    ]
    const selected = groups.map(({ group, column }) => sql`${column} as ${sql.id(group)}`)
    const sums = [
      sql`coalesce(sum(1 - hidden), 0) as "requests"`,
      sql`coalesce(sum(case when hidden = 0 and state <> 'succeeded' then 1 else 0 end), 0) as "failures"`,
      sql`coalesce(sum(prompt_tokens * ${own}), 0) as "promptTokens"`,
      sql`coalesce(sum(completion_tokens * ${own}), 0) as "completionTokens"`
    ]
    const by = sql.join(groups.map(({ column }) => column))
    const grouping = groups.length === 0 ? sql`` : sql`group by ${by} order by ${by}`
    const { rows } = await sql<UsageSum>`
      select ${sql.join([...selected, ...sums])} from job_usage
      where ${sql.join(conditions, sql` and `)} ${grouping} limit ${limit + 1}`.execute(this.#kysely)
    return { sums: rows.slice(0, limit), hasMore: rows.length > limit }
  }

  /** Removes what ended before; returns how many. */
  async prune(endedBeforeMs: number): Promise<number> {
    const { numDeletedRows } = await this.#kysely
      .deleteFrom('job_usage')
      .where('ended_at_ms', '<', endedBeforeMs)
      .executeTakeFirst()
    return Number(numDeletedRows)
  }
}

/** A lane may be part of a larger one, which ends with its name. */
function ofLane(lane: string): RawBuilder<unknown> {
  const suffix = `:${lane}`
  // databases count characters, not UTF-16 code units
  const before = [...suffix].length - 1
  return sql`(lane = ${lane} or substr(lane, length(lane) - ${before}) = ${suffix})`
}
