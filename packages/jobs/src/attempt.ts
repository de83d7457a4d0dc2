import type { JobAdmission } from '@resultity/access'
import { MeshError, type Scheduler, systemScheduler } from '@resultity/interface'
import { NodeLosses } from '@resultity/placement'
import type { Job, JobClaim, JobEvent, JobOutcome, JobStore } from '@resultity/store'
import type { Logger } from 'pino'
import { AttemptLog } from './attempt-log.ts'
import { jobBodyOf } from './job-body.ts'
import type { JobKinds, PreparedJob } from './job-kind.ts'
import { type AbortCause, abortReason, outcomeOf, pauseBeforeNext } from './job-outcome.ts'

export interface AttemptComponents {
  readonly store: JobStore
  readonly kinds: JobKinds
  readonly logger: Logger
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
  readonly admission: Pick<JobAdmission, 'check'>
  publish(events: readonly JobEvent[]): void
  isFollowed(): boolean
  /** The job's end cannot be written now. */
  onUnstorable(error: MeshError): void
}

export interface AttemptInit {
  readonly job: Job
  readonly claim: JobClaim
  /** The prepared job, if it was submitted here; it need not be prepared again. */
  readonly prepared: PreparedJob | undefined
  readonly retryMs: number
  readonly nodeLossesMax: number
  readonly logDelayMs: number
  readonly logPendingMax: number
}

/** Entries that the store itself writes into a log. */
const STORE_ENTRIES: ReadonlySet<string> = new Set(['queued', 'started'])

/** Entries of an earlier attempt read at once; a longer log is read in pieces. */
const PAGE = 1000

/** One try at doing a job, from its claim to its end. */
export class Attempt {
  readonly claim: JobClaim
  /** The job as it ended or went back to the queue; undefined when another has it now. Never rejects. */
  readonly ended: Promise<Job | undefined>
  readonly #components: AttemptComponents
  readonly #init: AttemptInit
  readonly #controller = new AbortController()
  readonly #losses: NodeLosses
  /** Ends pauses: a log that cannot be written ends the work and no pause. */
  readonly #ending = new AbortController()
  #cause: AbortCause | undefined
  #log: AttemptLog | undefined

  constructor(components: AttemptComponents, init: AttemptInit) {
    this.claim = init.claim
    this.#components = components
    this.#init = init
    this.#losses = new NodeLosses(init.nodeLossesMax, init.job.nodesLost)
    if (init.job.cancelRequested) this.abort('cancelled')
    this.ended = this.#work()
  }

  get job(): Job {
    return this.#init.job
  }

  /** Entries that followers may see and the store does not have yet. */
  get unstored(): readonly JobEvent[] {
    return this.#log?.unstored ?? []
  }

  /** There is a follower from now on. */
  show(): void {
    this.#log?.show()
  }

  /** Stops the attempt; {@link ended} resolves when it has stopped. The first cause counts. */
  abort(cause: AbortCause): void {
    this.#cause ??= cause
    this.#controller.abort(abortReason(this.#cause))
    this.#ending.abort()
  }

  async #work(): Promise<Job | undefined> {
    const outcome = await this.#outcome()
    this.#log?.stop()
    await this.#pause(pauseBeforeNext(outcome, this.job, this.#init.retryMs))
    return await this.#finish(outcome)
  }

  /**
   * A result that cannot be written, as on a full disk, is written again as long as the lease lasts; waiting clients
   * get the error at once.
   */
  async #finish(outcome: JobOutcome): Promise<Job | undefined> {
    const { store, logger, onUnstorable } = this.#components
    for (;;) {
      try {
        return await store.finish(this.claim, outcome)
      } catch (error) {
        const known = MeshError.from(error)
        if (known.code === 'job_lease_lost') return undefined
        logger.error({ err: known, jobId: this.claim.jobId }, 'a job was not ended')
        onUnstorable(known)
        if (!known.retryable || this.#isStopping()) return undefined
      }
      await this.#scheduler.sleep(this.#init.retryMs)
      if (this.#isStopping()) return undefined
    }
  }

  async #outcome(): Promise<JobOutcome> {
    const { job } = this.#init
    const { kinds, admission } = this.#components
    let detached = true
    try {
      ;({ detached } = jobBodyOf(job))
      const log = await this.#openLog()
      this.#controller.signal.throwIfAborted()
      const kind = kinds.get(job.endpoint)
      if (kind.watchesKey !== true) await admission.check(job)
      const { data } = this.#init.prepared ?? (await kind.prepare(jobBodyOf(job).request))
      const context = { job, signal: this.#controller.signal, log, losses: this.#losses }
      const { result, usage } = await kind.run(data, context)
      await log.end()
      return { state: 'succeeded', result, usage }
    } catch (error) {
      const known = MeshError.from(error)
      await this.#flushQuietly()
      this.#report(known)
      const outcome = outcomeOf(known, job, { detached, cause: this.#cause })
      return outcome.state === 'queued' ? { ...outcome, nodesLost: this.#losses.count } : outcome
    }
  }

  get #scheduler(): Scheduler {
    return this.#components.scheduler ?? systemScheduler
  }

  #isStopping(): boolean {
    return this.#cause === 'stopping'
  }

  /**
   * Keeps the job's place during the pause, so that a lane where every job fails does not run through its queue at
   * once.
   */
  async #pause(ms: number): Promise<void> {
    if (ms === 0) return
    // aborted: the store decides between that and the failure
    await this.#scheduler.sleep(ms, { signal: this.#ending.signal }).catch(() => {})
  }

  async #openLog(): Promise<AttemptLog> {
    const { job, claim, logDelayMs, logPendingMax } = this.#init
    const { streamed, detached } = jobBodyOf(job)
    this.#log = new AttemptLog(
      {
        scheduler: this.#scheduler,
        store: this.#components.store,
        publish: this.#components.publish,
        isFollowed: this.#components.isFollowed,
        onError: error => {
          if (error.code === 'job_lease_lost') this.abort('lease_lost')
          else this.#controller.abort(error)
        }
      },
      {
        claim,
        wanted: streamed || (detached && job.class === 'interactive'),
        logged: job.attempts > 1 ? await this.#logged() : [],
        last: job.eventCount,
        durable: detached,
        delayMs: logDelayMs,
        pendingMax: logPendingMax
      }
    )
    return this.#log
  }

  /** Entries of earlier attempts, without the store's own. */
  async #logged(): Promise<JobEvent[]> {
    const { store } = this.#components
    const logged: JobEvent[] = []
    for (let after = 0; ; ) {
      const page = await store.events(this.claim.jobId, after, PAGE)
      logged.push(...page.filter(event => !STORE_ENTRIES.has(event.type)))
      const last = page.at(-1)
      if (last === undefined) return logged
      after = last.number
    }
  }

  async #flushQuietly(): Promise<void> {
    try {
      await this.#log?.flush()
    } catch {
      // the attempt has failed already, for a reason that says more
    }
  }

  #report(error: MeshError): void {
    const { logger } = this.#components
    const facts = { err: error, jobId: this.claim.jobId, attempt: this.claim.attempt }
    if (this.#cause === 'yielded') logger.info({ jobId: facts.jobId }, 'a batch job made room')
    else if (error.code === 'canceled')
      logger.info({ jobId: facts.jobId, reason: error.message }, 'a request was cancelled')
    else logger.warn(facts, 'a request failed')
  }
}
