import type { SqliteStoreDatabase } from '../database/database.ts'
import type { Job, JobEvent, JobSubmission, NewJobEvent } from '../job.ts'
import type { ClaimedJob, ClaimRequest, JobClaim, JobNotice, JobOutcome, JobStore } from '../job-store.ts'
import type { JobLimits } from './job-change.ts'
import { encodeEntries, encodeOutcome, eventsOf } from './job-encoding.ts'
import { JobNotices } from './job-notices.ts'
import { JobQueries } from './job-queries.ts'
import { jobOf, rowOf } from './job-row.ts'
import type { Begin, SqliteJobOperations, StoredJob } from './sqlite-job-messages.ts'

type Input<Name extends keyof SqliteJobOperations> = Parameters<SqliteJobOperations[Name]>[0]
type Output<Name extends keyof SqliteJobOperations> = ReturnType<SqliteJobOperations[Name]>

/** Jobs in the one process that has the file: each operation is one message to the database's thread. */
export class SqliteJobStore extends JobQueries implements JobStore {
  readonly #database: SqliteStoreDatabase
  readonly #limits: JobLimits
  readonly #bytesMax: number
  readonly #notices = new JobNotices()

  private constructor(database: SqliteStoreDatabase, limits: JobLimits, bytesMax: number) {
    super(database.kysely)
    this.#database = database
    this.#limits = limits
    this.#bytesMax = bytesMax
  }

  /** Jobs that were running when the last process ended go back to the queue. */
  static async open(database: SqliteStoreDatabase, limits: JobLimits, bytesMax: number): Promise<SqliteJobStore> {
    const store = new SqliteJobStore(database, limits, bytesMax)
    await store.#sweep(true)
    return store
  }

  async submit(
    submission: JobSubmission,
    begin?: Begin
  ): Promise<{ readonly job: Job; readonly created: boolean; readonly claim?: JobClaim }> {
    const submitted = rowOf(submission)
    const { row, content, begun } = await this.#call('submit', {
      submitted,
      begin: begin ?? null,
      bytesMax: this.#bytesMax
    })
    if (content !== null) return { job: jobOf(row, content), created: false }
    // the caller's own body: nothing has to be parsed again
    const job = jobOf(row, { body: 'null', result: null, error: null, usage: null })
    const created = { job: { ...job, body: submission.body }, created: true }
    if (!begun) {
      this.#notices.emit([{ type: 'queued', lane: submission.lane }])
      return created
    }
    return { ...created, claim: claimOf(job, begin?.owner ?? '') }
  }

  async submitAll(submissions: readonly JobSubmission[]): Promise<number> {
    await this.#call('submitAll', { rows: submissions.map(rowOf), bytesMax: this.#bytesMax })
    const lanes = new Set(submissions.map(({ lane }) => lane))
    this.#notices.emit([...lanes].map(lane => ({ type: 'queued', lane })))
    return submissions.length
  }

  async get(id: string): Promise<Job | undefined> {
    const found = await this.#call('get', id)
    return found === null ? undefined : toJob(found)
  }

  async claim(owner: string, leaseMs: number, claimRequests: readonly ClaimRequest[]): Promise<readonly ClaimedJob[]> {
    const claimed = await this.#call('claim', { begin: { owner, leaseMs }, claimRequests, limits: this.#limits })
    const jobs = claimed.map(toJob)
    this.#notices.emit(jobs.map(({ id }) => ({ type: 'changed', jobId: id })))
    return jobs.map(job => ({ job, claim: claimOf(job, owner) }))
  }

  renew(claims: readonly JobClaim[], leaseMs: number): Promise<readonly JobClaim[]> {
    return this.#call('renew', { claims, leaseMs })
  }

  async append(claim: JobClaim, after: number, events: readonly NewJobEvent[]): Promise<number> {
    const last = await this.#call('append', { claim, after, entries: encodeEntries(events) })
    if (events.length > 0) this.#notices.emit([{ type: 'changed', jobId: claim.jobId }])
    return last
  }

  async finish(claim: JobClaim, outcome: JobOutcome): Promise<Job> {
    const { job, notices } = await this.#call('finish', {
      claim,
      outcome: encodeOutcome(outcome),
      limits: this.#limits
    })
    this.#notices.emit(notices)
    return toJob(job)
  }

  async cancel(id: string): Promise<Job | undefined> {
    const cancelled = await this.#call('cancel', id)
    if (cancelled === null) return undefined
    this.#notices.emit(cancelled.notices)
    return toJob(cancelled.job)
  }

  async cancelGroup(groupId: string): Promise<void> {
    this.#notices.emit(await this.#call('cancelGroup', groupId))
  }

  async events(id: string, after: number, limit: number): Promise<readonly JobEvent[]> {
    return eventsOf(await this.#call('logs', { id, after, limit }), after, limit)
  }

  sweep(): Promise<void> {
    return this.#sweep(false)
  }

  async remove(id: string): Promise<boolean> {
    for (;;) {
      const { removed, more } = await this.#call('remove', id)
      if (!more) return removed
    }
  }

  prune(endedBeforeMs: number, limit: number, unstoredBeforeMs = endedBeforeMs): Promise<number> {
    return this.#call('prune', { endedBeforeMs, unstoredBeforeMs, limit })
  }

  onNotice(listener: (notice: JobNotice) => void): () => void {
    return this.#notices.listen(listener)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // the caller that opened the database closes it
  }

  async #sweep(everyLease: boolean): Promise<void> {
    for (let more = true; more; ) {
      const swept = await this.#call('sweep', { everyLease, limits: this.#limits })
      this.#notices.emit(swept.notices)
      more = swept.more
    }
  }

  async #call<Name extends keyof SqliteJobOperations>(name: Name, input: Input<Name>): Promise<Output<Name>> {
    // the thread runs the operation of this name, so this is its type
    return (await this.#database.connection.call(name, input)) as Output<Name>
  }
}

function toJob({ row, content }: StoredJob): Job {
  return jobOf(row, content)
}

function claimOf(job: Job, owner: string): JobClaim {
  return { jobId: job.id, owner, attempt: job.attempts }
}
