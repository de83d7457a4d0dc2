import { MeshError } from '@resultity/interface'
import { type Kysely, type RawBuilder, type SelectQueryBuilder, sql } from 'kysely'
import type { Tables } from '../database/tables.ts'
import type { Job, JobMetadata, JobState } from '../job.ts'
import { modelLane } from '../job-lanes.ts'
import type { JobCounts, JobFilter } from '../job-store.ts'
import { encodeMetadata, metadataPart } from './job-metadata.ts'
import { jobOf } from './job-row.ts'

/** Most jobs of one page. */
const PAGE_MAX = 1000

/** The part of a job store that is the same for both databases: queries that are rare. */
export abstract class JobQueries {
  readonly #database: Kysely<Tables>

  constructor(database: Kysely<Tables>) {
    this.#database = database
  }

  async list(filter: JobFilter): Promise<{ readonly jobs: readonly Job[]; readonly hasMore: boolean }> {
    if (!Number.isInteger(filter.limit) || filter.limit < 1 || filter.limit > PAGE_MAX) {
      throw new MeshError('invalid_request', `a page has 1 to ${PAGE_MAX} entries, not ${filter.limit}`, {
        hint: 'ask for fewer, and for the rest with a cursor',
        details: { param: 'limit' }
      })
    }
    // no database knows an empty list
    if (filter.states?.length === 0) return { jobs: [], hasMore: false }
    const descending = filter.order !== 'asc'
    let query = narrow(this.#database.selectFrom('job'), filter)
    if (filter.after !== undefined) {
      query = query.where('job.seq', descending ? '<' : '>', await this.#sequenceOf(filter.after, filter.namespace))
    }
    const rows = await query
      .innerJoin('job_content', 'job_content.seq', 'job.seq')
      .selectAll('job')
      .select(['job_content.body', 'job_content.result', 'job_content.error', 'job_content.usage'])
      .orderBy('job.seq', descending ? 'desc' : 'asc')
      .limit(filter.limit + 1)
      .execute()
    const hasMore = rows.length > filter.limit
    return { jobs: rows.slice(0, filter.limit).map(row => jobOf(row, row)), hasMore }
  }

  async position(id: string): Promise<number | undefined> {
    const row = await this.#database
      .selectFrom('job as one')
      .select(({ selectFrom, fn }) =>
        selectFrom('job as other')
          .select(fn.countAll<number>().as('count'))
          .where('other.state', '=', sql.lit('queued'))
          .whereRef('other.lane', '=', 'one.lane')
          .whereRef('other.class', '=', 'one.class')
          .where(sql<boolean>`(other.start_tag, other.seq) < (one.start_tag, one.seq)`)
          .as('before')
      )
      .where('one.id', '=', id)
      .where('one.state', '=', sql.lit('queued'))
      .executeTakeFirst()
    return row === undefined ? undefined : Number(row.before)
  }

  async setMetadata(id: string, metadata: JobMetadata): Promise<boolean> {
    const { numUpdatedRows } = await this.#database
      .updateTable('job')
      .set({ metadata: encodeMetadata(metadata) })
      .where('id', '=', id)
      .executeTakeFirst()
    return numUpdatedRows > 0n
  }

  async countGroup(groupId: string): Promise<Partial<Record<JobState, number>>> {
    const rows = await this.#database
      .selectFrom('job')
      .select(({ fn }) => ['state', fn.countAll<number>().as('count')])
      .where('group_id', '=', groupId)
      .groupBy('state')
      .execute()
    return Object.fromEntries(rows.map(({ state, count }) => [state, count]))
  }

  async counts(): Promise<readonly JobCounts[]> {
    // one query for each state, each from its own partial index
    const [queued, running] = await Promise.all([this.#countsOf('queued'), this.#countsOf('running')])
    return [...queued, ...running]
  }

  async #countsOf(state: 'queued' | 'running'): Promise<readonly JobCounts[]> {
    const rows = await this.#database
      .selectFrom('job')
      .select(({ fn }) => ['lane', 'class', fn.countAll<number>().as('count')])
      .where('state', '=', sql.lit(state))
      .groupBy(['lane', 'class'])
      .execute()
    return rows.map(row => ({ ...row, state }))
  }

  async #sequenceOf(id: string, namespace: string | undefined): Promise<number> {
    let query = this.#database.selectFrom('job').select('seq').where('id', '=', id)
    if (namespace !== undefined) query = query.where('namespace', '=', namespace)
    const row = await query.executeTakeFirst()
    if (row !== undefined) return row.seq
    throw new MeshError('not_found', `there is no request ${id} to go on after`, {
      hint: 'begin from the first page',
      details: { param: 'after' }
    })
  }
}

/** In no lane's name. */
const LANE_END = '\n'

/** Whether a text has another in it, in both databases: then that can be taken out of it. */
function has(text: RawBuilder<string>, part: string): RawBuilder<boolean> {
  return sql<boolean>`replace(${text}, ${part}, '') <> ${text}`
}

function narrow(
  query: SelectQueryBuilder<Tables, 'job', object>,
  { namespace, states, endpoint, groupId, hidden, model, metadata }: JobFilter
): SelectQueryBuilder<Tables, 'job', object> {
  let narrowed = query
  if (namespace !== undefined) narrowed = narrowed.where('namespace', '=', namespace)
  if (states !== undefined) narrowed = narrowed.where('state', 'in', states)
  if (endpoint !== undefined) narrowed = narrowed.where('endpoint', '=', endpoint)
  if (groupId !== undefined) narrowed = narrowed.where('group_id', '=', groupId)
  if (model !== undefined) {
    // the lane's end, whatever subcloud it begins with
    const lane = sql<string>`(':' || job.lane || ${LANE_END})`
    narrowed = narrowed.where(has(lane, `:${modelLane(model)}${LANE_END}`))
  }
  if (metadata !== undefined) narrowed = narrowed.where('metadata', 'is not', null)
  for (const [name, value] of Object.entries(metadata ?? {})) {
    narrowed = narrowed.where(has(sql<string>`job.metadata`, metadataPart(name, value)))
  }
  // written out, so that it meets the condition of the partial index
  if (hidden !== true) narrowed = narrowed.where('hidden', '=', sql.lit(0))
  return narrowed
}
