import { randomUUID } from 'node:crypto'
import { MeshError } from '@resultity/interface'
import type { Kysely } from 'kysely'
import type { PostgresStoreDatabase } from '../database/database.ts'
import { StatementError } from '../database/statement-error.ts'
import type { Tables } from '../database/tables.ts'
import type { Job, JobEvent, JobSubmission, NewJobEvent } from '../job.ts'
import type { ClaimedJob, ClaimRequest, JobClaim, JobNotice, JobOutcome, JobStore } from '../job-store.ts'
import { Batches, type Settled } from './batches.ts'
import type { JobLimits } from './job-change.ts'
import { encodeEntries, encodeOutcome, eventsOf } from './job-encoding.ts'
import { JobNotices } from './job-notices.ts'
import { JobQueries } from './job-queries.ts'
import { type JobContent, type JobRow, jobOf, rowOf } from './job-row.ts'
import { LOG_PAGE_BYTES_MAX, pageOf } from './log-page.ts'
import { changeJobs, type JobTask, type JobTaskDone } from './postgres-job-changes.ts'
import { claimJobs, type SubmitDone, type SubmitTask, submitJobs } from './postgres-job-queue.ts'
import { cancelGroup, forgetFlows, removeJobs, removeTrees, sweepJobs } from './postgres-job-upkeep.ts'
import { PostgresListener } from './postgres-listener.ts'
import { decodeNotices } from './postgres-notice-payload.ts'
import { noticeChannel, rowsOf } from './postgres-transactions.ts'
import type { Begin } from './sqlite-job-messages.ts'

/** Rows that a page of a log is made of: one entry each, at least. */
const LOG_PAGE_ROWS_MAX = 256

/** Changes in one transaction: few enough that others do not wait long for its locks. */
const BATCH_MAX = 256

/** Jobs that several coordinators share. Changes that come at once are one transaction. */
export class PostgresJobStore extends JobQueries implements JobStore {
  readonly #database: Kysely<Tables>
  readonly #limits: JobLimits
  readonly #bytesMax: number
  /** Marks notices as those of this process. */
  readonly #self = randomUUID()
  readonly #notices = new JobNotices()
  readonly #submits: Batches<SubmitTask, SubmitDone>
  readonly #changes: Batches<JobTask, JobTaskDone>
  #listener: PostgresListener | undefined

  private constructor(database: Kysely<Tables>, limits: JobLimits, bytesMax: number) {
    super(database)
    this.#database = database
    this.#limits = limits
    this.#bytesMax = bytesMax
    this.#submits = new Batches({
      tasksMax: BATCH_MAX,
      isOneTasks,
      run: tasks => submitJobs(database, this.#self, tasks, bytesMax)
    })
    this.#changes = new Batches({
      tasksMax: BATCH_MAX,
      isOneTasks,
      run: tasks => changeJobs(database, this.#self, this.#limits, tasks)
    })
  }

  static async open(
    { kysely, url }: PostgresStoreDatabase,
    limits: JobLimits,
    bytesMax: number
  ): Promise<PostgresJobStore> {
    const store = new PostgresJobStore(kysely, limits, bytesMax)
    store.#listener = await PostgresListener.start({
      url,
      channel: noticeChannel,
      onPayload: payload => store.#notices.emit(decodeNotices(store.#self, payload)),
      onBreak: () => store.#notices.emit([{ type: 'missed' }])
    })
    return store
  }

  async submit(
    submission: JobSubmission,
    begin?: Begin
  ): Promise<{ readonly job: Job; readonly created: boolean; readonly claim?: JobClaim }> {
    const { row, content, begun } = await this.#submits.do({ submitted: rowOf(submission), begin: begin ?? null })
    if (content !== null) return { job: jobOf(row, content), created: false }
    // the caller's own body: nothing has to be parsed again
    const job = { ...jobOf(row, { body: 'null', result: null, error: null, usage: null }), body: submission.body }
    if (begun) return { job, created: true, claim: claimOf(row) }
    this.#notices.emit([{ type: 'queued', lane: row.lane }])
    return { job, created: true }
  }

  async submitAll(submissions: readonly JobSubmission[]): Promise<number> {
    if (submissions.length === 0) return 0
    const tasks = submissions.map(submission => ({ submitted: rowOf(submission), begin: null }))
    await submitJobs(this.#database, this.#self, tasks, this.#bytesMax, refuseAny)
    const lanes = new Set(submissions.map(({ lane }) => lane))
    this.#notices.emit([...lanes].map(lane => ({ type: 'queued', lane })))
    return submissions.length
  }

  async get(id: string): Promise<Job | undefined> {
    const [row] = await rowsOf<JobRow & JobContent>(
      this.#database,
      'select job.*, body, result, error, usage from job join job_content using (seq) where id = $1',
      [id]
    )
    return row === undefined ? undefined : jobOf(row, row)
  }

  async claim(owner: string, leaseMs: number, claimRequests: readonly ClaimRequest[]): Promise<readonly ClaimedJob[]> {
    if (claimRequests.length === 0) return []
    const claimed = await claimJobs(this.#database, this.#self, { owner, leaseMs }, claimRequests, this.#limits)
    this.#notices.emit(claimed.map(({ row }) => ({ type: 'changed', jobId: row.id })))
    return claimed.map(({ row, content }) => ({ job: jobOf(row, content), claim: claimOf(row) }))
  }

  async renew(claims: readonly JobClaim[], leaseMs: number): Promise<readonly JobClaim[]> {
    const renewed = await Promise.all(
      claims.map(async claim => {
        try {
          await this.#changes.do({ type: 'renew', claim, leaseMs })
          return []
        } catch (error) {
          if (error instanceof MeshError && error.code === 'job_lease_lost') return [claim]
          throw error
        }
      })
    )
    return renewed.flat()
  }

  async append(claim: JobClaim, after: number, events: readonly NewJobEvent[]): Promise<number> {
    const { eventCount } = await this.#change({ type: 'append', claim, after, entries: encodeEntries(events) })
    return eventCount
  }

  async finish(claim: JobClaim, outcome: JobOutcome): Promise<Job> {
    const { job } = await this.#change({ type: 'finish', claim, outcome: encodeOutcome(outcome) })
    if (job === undefined) throw new MeshError('internal', `job ${claim.jobId} has no content`)
    return job
  }

  async cancel(id: string): Promise<Job | undefined> {
    const { job } = await this.#change({ type: 'cancel', id })
    return job
  }

  async cancelGroup(groupId: string): Promise<void> {
    this.#notices.emit(await cancelGroup(this.#database, this.#self, groupId))
  }

  async events(id: string, after: number, limit: number): Promise<readonly JobEvent[]> {
    const rows = await rowsOf<{ readonly number: number; readonly entries: string }>(
      this.#database,
      `select number, entries from (
         select number, entries, sum(octet_length(entries)) over (order by number) - octet_length(entries) as before
         from (
           select number, entries from job_event
           where seq = (select seq from job where id = $1) and number > $2
           order by number limit least($3, ${LOG_PAGE_ROWS_MAX})
         ) next
       ) page where before < ${LOG_PAGE_BYTES_MAX} order by number`,
      [id, after, limit]
    )
    const page = pageOf(
      rows.map(({ number, entries }) => [number, entries] as const),
      after,
      limit
    )
    return eventsOf(page, after, limit)
  }

  async sweep(): Promise<void> {
    for (let more = true; more; ) {
      const swept = await sweepJobs(this.#database, this.#self, this.#limits)
      this.#notices.emit(swept.notices)
      more = swept.more
    }
    await forgetFlows(this.#database)
  }

  async remove(id: string): Promise<boolean> {
    return (await removeTrees(this.#database, [id])) > 0
  }

  async prune(endedBeforeMs: number, limit: number, unstoredBeforeMs = endedBeforeMs): Promise<number> {
    const unstored = await rowsOf<{ readonly id: string }>(
      this.#database,
      'select id from job where unstored = 1 and ended_at_ms is not null and ended_at_ms < $1 order by ended_at_ms limit $2',
      [unstoredBeforeMs, limit]
    )
    const ids = unstored.map(({ id }) => id)
    const removed = ids.length === 0 ? 0 : await removeTrees(this.#database, ids)
    const which = `select seq from job where ended_at_ms is not null and ended_at_ms < $1
      order by ended_at_ms limit $2 for update skip locked`
    return removed + (await removeJobs(this.#database, which, [endedBeforeMs, limit]))
  }

  onNotice(listener: (notice: JobNotice) => void): () => void {
    return this.#notices.listen(listener)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener?.[Symbol.asyncDispose]()
  }

  async #change(task: JobTask): Promise<JobTaskDone> {
    const done = await this.#changes.do(task)
    this.#notices.emit(done.notices)
    return done
  }
}

function claimOf(row: JobRow): JobClaim {
  return { jobId: row.id, owner: row.owner ?? '', attempt: row.attempts }
}

function refuseAny(settled: readonly Settled<SubmitDone>[]): void {
  for (const one of settled) if ('error' in one) throw one.error
}

/** A value that the database refuses belongs to one task; a server that is gone does not. */
function isOneTasks(error: unknown): boolean {
  return error instanceof StatementError || (error instanceof MeshError && error.code === 'invalid_request')
}
