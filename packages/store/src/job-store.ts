import type {
  Job,
  JobClass,
  JobError,
  JobEvent,
  JobMetadata,
  JobResult,
  JobState,
  JobSubmission,
  JobUsage,
  NewJobEvent
} from './job.ts'

/** The right to work on a job. It ends when the lease runs out unrenewed; later calls with it are refused. */
export interface JobClaim {
  readonly jobId: string
  /** The holder: one coordinator process. */
  readonly owner: string
  /** Number of this attempt; a claim of an earlier one is void. */
  readonly attempt: number
}

export interface ClaimedJob {
  readonly job: Job
  readonly claim: JobClaim
}

/** How many jobs of one lane and class to claim. */
export interface ClaimRequest {
  readonly lane: string
  readonly class: JobClass
  readonly count: number
}

/** How an attempt ended. */
export type JobOutcome =
  | { readonly state: 'succeeded'; readonly result: JobResult; readonly usage: JobUsage | null }
  | { readonly state: 'failed'; readonly error: JobError }
  | { readonly state: 'cancelled' }
  /**
   * Back in the queue, at its old place. `interrupted`: its coordinator needs the place or stops, which uses up no attempt
   * and, as the coordinator goes on to say so, is no sign that the job ends coordinators. `nodesLost`: nodes lost with the
   * job up to now, if that changed.
   */
  | { readonly state: 'queued'; readonly interrupted: boolean; readonly nodesLost?: number }

export interface JobFilter {
  readonly namespace?: string
  readonly states?: readonly JobState[]
  readonly endpoint?: string
  readonly groupId?: string
  /** Hidden jobs too. Default false. */
  readonly hidden?: boolean
  /** Only jobs that run on this model, in any subcloud. */
  readonly model?: string
  /** Only jobs that were filed, with all of these pairs among theirs. */
  readonly metadata?: JobMetadata
  /** Only jobs after the one with this id, in the requested order. */
  readonly after?: string
  /** Order by creation. Default `desc`, the newest first. */
  readonly order?: 'asc' | 'desc'
  /** At most 1000. */
  readonly limit: number
}

/** Notices to listeners, of this process's changes and, where a store is shared, of the other processes' changes. */
export type JobNotice =
  | { readonly type: 'queued'; readonly lane: string }
  | { readonly type: 'cancel_requested'; readonly jobId: string }
  /** Its log has grown, or its state has changed. */
  | { readonly type: 'changed'; readonly jobId: string }
  /** Notices may have been lost: look again at everything that you wait for. */
  | { readonly type: 'missed' }

export interface JobCounts {
  readonly lane: string
  readonly class: JobClass
  readonly state: 'queued' | 'running'
  readonly count: number
}

/**
 * Jobs and their logs, kept across the end of the process.
 *
 * Every call is one transaction: it has happened as a whole, and stays, when its promise resolves. Calls made at once
 * may share a transaction; a failing one does not touch the others. Order within a lane and class is fair between keys
 * (start-time fair queueing by `keyId`, or by namespace where there is none) and by age within a key. Errors are those
 * of `@resultity/interface`.
 */
export interface JobStore extends AsyncDisposable {
  /**
   * Stores a job. The first event of its log is `queued`.
   *
   * @param begin claims it at once for this owner, when there is room and nobody waits before it
   * @returns the job, and its claim when it was begun; `created` is false when the same idempotency key and body had
   * stored it before, and then nothing changes
   * @throws MeshError `idempotency_conflict` when the key came with another body; `storage_quota_exceeded` when its
   * namespace has no room for it
   */
  submit(
    submission: JobSubmission,
    begin?: { readonly owner: string; readonly leaseMs: number }
  ): Promise<{ readonly job: Job; readonly created: boolean; readonly claim?: JobClaim }>

  /** Stores all of them or, when one is refused as in {@link submit}, none. Returns their number. */
  submitAll(submissions: readonly JobSubmission[]): Promise<number>

  get(id: string): Promise<Job | undefined>

  /** How many jobs of its lane and class are begun before a queued one; undefined when it is not queued. */
  position(id: string): Promise<number | undefined>

  /** @throws MeshError `not_found` when `filter.after` names no job */
  list(filter: JobFilter): Promise<{ readonly jobs: readonly Job[]; readonly hasMore: boolean }>

  /** Files a job under this, and no longer under what it was. Returns whether there is such a job. */
  setMetadata(id: string, metadata: JobMetadata): Promise<boolean>

  /** Jobs by state of one group; states with none are left out. */
  countGroup(groupId: string): Promise<Partial<Record<JobState, number>>>

  /** Queued and running jobs by lane and class. */
  counts(): Promise<readonly JobCounts[]>

  /** Begins waiting jobs, each for one owner only; appends `started` to their logs on their first attempt. */
  claim(owner: string, leaseMs: number, claimRequests: readonly ClaimRequest[]): Promise<readonly ClaimedJob[]>

  /** Prolongs leases. Returns the claims that are void: their jobs must be dropped at once. */
  renew(claims: readonly JobClaim[], leaseMs: number): Promise<readonly JobClaim[]>

  /**
   * Adds to the log, after its entry number `after`.
   * @returns the number of the last entry
   * @throws MeshError `job_lease_lost` when the claim is void or the log is longer than `after`;
   *   `storage_quota_exceeded` when the log would exceed the limit of one job
   */
  append(claim: JobClaim, after: number, events: readonly NewJobEvent[]): Promise<number>

  /**
   * Ends an attempt, with a last event named after the outcome's state unless that is `queued`. A job whose end was
   * asked for is `cancelled` and not queued again; one that has used up its attempts is `failed` with the error
   * `attempts_exhausted`.
   * @throws MeshError `job_lease_lost`
   */
  finish(claim: JobClaim, outcome: JobOutcome): Promise<Job>

  /**
   * Asks for a job's end: a queued job is cancelled now, a running one when its owner gets the notice. A final job
   * stays as it is.
   */
  cancel(id: string): Promise<Job | undefined>

  /** {@link cancel} for every job of a group. */
  cancelGroup(groupId: string): Promise<void>

  /** Entries with numbers above `after`, in order; at most `limit`. */
  events(id: string, after: number, limit: number): Promise<readonly JobEvent[]>

  /**
   * What time brings: queued jobs past their deadline expire, and running ones whose lease has run out are queued
   * again (an interruption), or failed with `interrupted_too_often`.
   */
  sweep(): Promise<void>

  /**
   * Removes a final job with its log and idempotency key, and all jobs of its group. Jobs that have not ended are
   * removed soon after their end. Returns whether the job is gone now.
   */
  remove(id: string): Promise<boolean>

  /**
   * Removes final jobs that ended before `endedBeforeMs`, and with their groups those that are not to be kept and ended
   * before `unstoredBeforeMs` (default the same), some at a time; returns how many.
   */
  prune(endedBeforeMs: number, limit: number, unstoredBeforeMs?: number): Promise<number>

  /** @returns stops listening */
  onNotice(listener: (notice: JobNotice) => void): () => void
}
