import { randomUUID } from 'node:crypto'
import type { JobAdmission } from '@resultity/access'
import {
  type AbortOptions,
  type Clock,
  MeshError,
  type Scheduler,
  steadyClockOf,
  systemScheduler,
  type Timer
} from '@resultity/interface'
import {
  type ClaimedJob,
  type ClaimRequest,
  isFinal,
  type Job,
  type JobClaim,
  type JobClass,
  type JobNotice,
  type JobStore
} from '@resultity/store'
import type { Logger } from 'pino'
import { Attempt } from './attempt.ts'
import { type Following, JobFollowers } from './job-followers.ts'
import type { JobKinds, PreparedJob } from './job-kind.ts'
import type { Places } from './job-queue.ts'
import { type SubmitOptions, submissionOf } from './job-submission.ts'
import { Lanes } from './lanes.ts'

export type { SubmitOptions } from './job-submission.ts'

export interface JobRuntimeComponents {
  readonly store: JobStore
  readonly kinds: JobKinds
  readonly places: Places
  readonly clock: Clock
  /** Does not jump when the other one is set: for leases. Default the system's. */
  readonly steady?: Clock
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
  readonly logger: Logger
  /** Checks that the key of a job that is about to begin may still have it done. */
  readonly admission: Pick<JobAdmission, 'check'>
}

export interface JobRuntimeInit {
  /** A job whose coordinator is silent for this time may be taken over by another. */
  readonly jobLeaseMs: number
  /** How often deadlines and leases are looked at. */
  readonly jobSweepMs: number
  /** Waiting jobs whose clients wait for them; more are refused. */
  readonly queuedMax: number
  /** Jobs waiting for a place, of batches. */
  readonly queuedBatchMax: number
  /** How long a client's job waits for a place. */
  readonly slotWaitMs: number
  /** How long a job that goes on by itself waits for one. */
  readonly detachedWaitMs: number
  /** How often a job that goes on by itself is tried when it fails with an error that may pass. */
  readonly jobAttemptsMax: number
  /** Nodes that may be lost while they have one job. */
  readonly jobNodeLossesMax: number
  /** Pause between the first failure and the next attempt; every further pause is four times as long. */
  readonly jobRetryMs: number
  /** How long jobs are kept once they have ended. */
  readonly jobRetentionMs: number
  /** How long those are kept at most whose client does not want them kept. */
  readonly unstoredRetentionMs: number
  /** How long entries of an attached answer's log may wait to be stored with others. */
  readonly logDelayMs: number
  readonly logPendingMax: number
}

/** Old jobs removed in one go, so that others need not wait long for the store. */
const PRUNED_AT_ONCE = 500

/**
 * Runs jobs: stores them, begins them when there is a place, and notifies followers.
 *
 * All state that must survive is in the store. This object only knows its own running jobs, and which lanes may have
 * work.
 */
export class JobRuntime implements AsyncDisposable {
  readonly #components: JobRuntimeComponents
  readonly #init: JobRuntimeInit
  readonly #owner = randomUUID()
  readonly #attempts = new Map<string, Attempt>()
  readonly #followers: JobFollowers
  readonly #lanes: Lanes
  readonly #endListeners = new Set<(job: Job) => void>()
  readonly #stopListening: (() => void)[]
  readonly #scheduler: Scheduler
  #timer: Timer | undefined
  #renewedMs = 0
  #pumping: Promise<void> | undefined
  #pumpAgain = false
  #stopped = false

  constructor(components: JobRuntimeComponents, init: JobRuntimeInit) {
    this.#components = components
    this.#init = init
    this.#scheduler = components.scheduler ?? systemScheduler
    this.#lanes = new Lanes(components.places)
    this.#followers = new JobFollowers({
      store: components.store,
      unstored: id => this.#attempts.get(id)?.unstored ?? []
    })
    this.#stopListening = [
      components.store.onNotice(notice => this.#onNotice(notice)),
      components.places.onChange(() => this.pump())
    ]
  }

  /** Takes up the jobs that an earlier process left, and begins to work. */
  async start(): Promise<void> {
    await this.#recount()
    this.#timer = this.#scheduler.setInterval(() => void this.#tick(), this.#init.jobSweepMs)
    this.pump()
  }

  /** Jobs that run here. */
  get running(): number {
    return this.#attempts.size
  }

  /** Waiting jobs by class, as this process knows them. */
  get queued(): Readonly<Record<JobClass, number>> {
    return this.#lanes.queued
  }

  /** Calls `listener` with every job that ended here. @returns stops listening */
  onEnd(listener: (job: Job) => void): () => void {
    this.#endListeners.add(listener)
    return () => this.#endListeners.delete(listener)
  }

  /**
   * Stores a job, and begins it when there is a place. When the promise resolves it will be run whatever happens.
   *
   * @returns `created` is false for a repeated idempotency key: the job is the one that was stored then
   * @throws MeshError `resource_exhausted` when too many wait; `idempotency_conflict`; `unavailable` when stopping
   */
  async submit(
    prepared: PreparedJob,
    options: SubmitOptions
  ): Promise<{ readonly job: Job; readonly created: boolean }> {
    this.#requireRunning()
    if (options.admitted !== true) this.#requireRoom(options.class ?? 'interactive', 1)
    const submission = submissionOf(prepared, options, this.#init)
    const begin = !this.#stopped && this.#lanes.mayBegin(submission.lane, submission.class)
    // the place is taken before the store answers, or two at once would both get it
    if (begin) this.#lanes.enter(submission.lane, submission.class)
    try {
      const stored = await this.#components.store.submit(
        submission,
        begin ? { owner: this.#owner, leaseMs: this.#init.jobLeaseMs } : undefined
      )
      if (stored.claim !== undefined) this.#begin({ job: stored.job, claim: stored.claim }, prepared)
      else if (begin) this.#leave(submission.lane, submission.class)
      if (stored.created && stored.claim === undefined) this.#enqueued(submission.lane, submission.class)
      return stored
    } catch (error) {
      if (begin) this.#leave(submission.lane, submission.class)
      throw error
    }
  }

  /** Stores many jobs at once, or none of them. */
  async submitAll(jobs: readonly { readonly prepared: PreparedJob; readonly options: SubmitOptions }[]): Promise<void> {
    this.#requireRunning()
    this.#requireRoom(jobs[0]?.options.class ?? 'interactive', jobs.length)
    const submissions = jobs.map(({ prepared, options }) => submissionOf(prepared, options, this.#init))
    await this.#components.store.submitAll(submissions)
    for (const { lane, class: jobClass } of submissions) this.#enqueued(lane, jobClass)
  }

  /** Follow a job before or after it ended. Dispose when you have seen enough. */
  follow(jobId: string): Following {
    const following = this.#followers.follow(jobId)
    this.#attempts.get(jobId)?.show()
    return following
  }

  /** Resolves with the job when it has ended. @throws MeshError `not_found`; the signal's reason */
  async untilEnd(jobId: string, options: AbortOptions = {}): Promise<Job> {
    using following = this.follow(jobId)
    if (!this.#attempts.has(jobId)) await following.check()
    return await following.ended(options)
  }

  /** Asks for the job's end. */
  async cancel(jobId: string): Promise<Job | undefined> {
    const job = await this.#components.store.cancel(jobId)
    if (job !== undefined && isFinal(job.state)) this.#ended(job)
    return job
  }

  /** Begins what there is room for. */
  pump(): void {
    if (this.#stopped) return
    if (this.#pumping !== undefined) {
      this.#pumpAgain = true
      return
    }
    this.#pumping = this.#pumpAll().finally(() => {
      this.#pumping = undefined
      if (this.#pumpAgain) this.pump()
    })
  }

  /** Ends what runs: attached jobs fail, the others go back to the queue. Resolves when all have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    this.#scheduler.clear(this.#timer)
    for (const stop of this.#stopListening) stop()
    // at once: none may be told in another way first, as by a child that is refused, and fail for that
    for (const attempt of this.#attempts.values()) attempt.abort('stopping')
    await this.#pumping
    await Promise.all([...this.#attempts.values()].map(attempt => attempt.ended))
  }

  #requireRunning(): void {
    if (this.#stopped) throw new MeshError('unavailable', 'the coordinator is stopping', { hint: 'Try again.' })
  }

  #requireRoom(jobClass: JobClass, count: number): void {
    const max = jobClass === 'batch' ? this.#init.queuedBatchMax : this.#init.queuedMax
    const waiting = this.#lanes.queued[jobClass]
    if (waiting + count <= max) return
    throw new MeshError('resource_exhausted', `${waiting} requests wait already, ${max} may`, {
      hint: 'Try again in a few seconds.'
    })
  }

  #enqueued(lane: string, jobClass: JobClass): void {
    this.#lanes.enqueued(lane, jobClass)
    this.pump()
  }

  async #pumpAll(): Promise<void> {
    this.#pumpAgain = false
    try {
      await this.#claim(this.#lanes.claimRequests('interactive'))
      await this.#claim(this.#lanes.claimRequests('batch'))
      await this.#makeRoom(this.#lanes.toYield())
    } catch (error) {
      // the next tick tries again
      this.#components.logger.error({ err: error }, 'waiting requests could not be begun')
    }
  }

  async #claim(claimRequests: readonly ClaimRequest[]): Promise<void> {
    if (claimRequests.length === 0) return
    for (const claimRequest of claimRequests)
      this.#lanes.enter(claimRequest.lane, claimRequest.class, claimRequest.count)
    let claimed: readonly ClaimedJob[] = []
    try {
      claimed = await this.#components.store.claim(this.#owner, this.#init.jobLeaseMs, claimRequests)
    } finally {
      for (const claimRequest of claimRequests) this.#lanes.claimed(claimRequest, claimed)
    }
    for (const one of claimed) this.#begin(one)
  }

  /** A lane only knows that a job may wait there. A batch job makes room only for one that does. */
  async #makeRoom(lanes: readonly string[]): Promise<void> {
    if (lanes.length === 0) return
    const counts = await this.#components.store.counts()
    for (const lane of lanes) {
      const waits = counts.some(one => one.lane === lane && one.class === 'interactive' && one.state === 'queued')
      // the one begun last loses the least
      const youngest = [...this.#attempts.values()].findLast(({ job }) => job.lane === lane && job.class === 'batch')
      if (!waits || youngest === undefined) continue
      this.#lanes.yielding(lane)
      youngest.abort('yielded')
      void youngest.ended.then(() => {
        this.#lanes.yielded(lane)
        this.pump()
      })
    }
  }

  #begin({ job, claim }: ClaimedJob, prepared?: PreparedJob): void {
    const { jobRetryMs, jobNodeLossesMax: nodeLossesMax, logDelayMs, logPendingMax } = this.#init
    const { store, kinds, logger, admission } = this.#components
    const attempt = new Attempt(
      {
        store,
        kinds,
        logger,
        scheduler: this.#scheduler,
        admission,
        publish: events => this.#followers.publish(job.id, events),
        isFollowed: () => this.#followers.isFollowed(job.id),
        onUnstorable: error => this.#followers.fail(job.id, error)
      },
      { job, claim, prepared, retryMs: jobRetryMs, nodeLossesMax, logDelayMs, logPendingMax }
    )
    this.#attempts.set(job.id, attempt)
    if (this.#stopped) attempt.abort('stopping')
    void attempt.ended.then(final => {
      this.#attempts.delete(job.id)
      // others during which a coordinator ended wait for this one's end, on whatever lane
      if (job.interruptions > 0) for (const lane of this.#lanes.names()) this.#lanes.mayWait(lane)
      this.#leave(job.lane, job.class)
      if (final !== undefined && isFinal(final.state)) this.#ended(final)
      else if (final !== undefined) this.#enqueued(job.lane, job.class)
    })
  }

  #leave(laneName: string, jobClass: JobClass): void {
    this.#lanes.leave(laneName, jobClass)
    this.pump()
  }

  #ended(job: Job): void {
    this.#followers.end(job)
    for (const listener of this.#endListeners) listener(job)
  }

  #onNotice(notice: JobNotice): void {
    switch (notice.type) {
      case 'queued':
        this.#lanes.mayWait(notice.lane)
        this.pump()
        break
      case 'cancel_requested':
        this.#attempts.get(notice.jobId)?.abort('cancelled')
        break
      case 'changed':
        this.#inspect(notice.jobId)
        break
      case 'missed':
        for (const lane of this.#lanes.names()) this.#lanes.mayWait(lane)
        this.pump()
        for (const jobId of this.#followers.jobIds) this.#inspect(jobId)
    }
  }

  /** Jobs that run here notify their followers themselves. */
  #inspect(jobId: string): void {
    if (!this.#attempts.has(jobId)) this.#followers.inspect(jobId)
  }

  async #tick(): Promise<void> {
    try {
      await this.#components.store.sweep()
      const steadyMs = (this.#components.steady ?? steadyClockOf(this.#scheduler)).now()
      if (steadyMs - this.#renewedMs < this.#init.jobLeaseMs / 3) return
      this.#renewedMs = steadyMs
      await this.#renew()
      await this.#recount()
      const now = this.#components.clock.now()
      const { jobRetentionMs, unstoredRetentionMs } = this.#init
      await this.#components.store.prune(now - jobRetentionMs, PRUNED_AT_ONCE, now - unstoredRetentionMs)
      this.pump()
    } catch (error) {
      this.#components.logger.error({ err: error }, 'the job store did not answer')
    }
  }

  async #renew(): Promise<void> {
    const claims: JobClaim[] = [...this.#attempts.values()].map(attempt => attempt.claim)
    if (claims.length === 0) return
    const lost = await this.#components.store.renew(claims, this.#init.jobLeaseMs)
    for (const { jobId } of lost) this.#attempts.get(jobId)?.abort('lease_lost')
  }

  async #recount(): Promise<void> {
    this.#lanes.recount(await this.#components.store.counts())
  }
}
