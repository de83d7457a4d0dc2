import { jobErrorReply } from '@resultity/api-kit'
import { type AbortOptions, MeshError, type Scheduler, systemScheduler, withDeadline } from '@resultity/interface'
import {
  BEGUN,
  type Begun,
  begunOf,
  type ChildJobs,
  type JobKind,
  type PreparedJob,
  toMeshError
} from '@resultity/jobs'
import { isFinal, type Job, type JobError } from '@resultity/store'
import { type Choice, type MemberAnswer, memberAnswerSchema, piecesIn } from './answer-dialect.ts'

/** One model's part in an ensemble. */
export interface Member {
  readonly index: number
  readonly model: string
  readonly role: 'member' | 'judge'
  /** What it is asked by. */
  readonly endpoint: JobKind
  /** What it is asked, or why it cannot be. */
  readonly prepared: PreparedJob | MeshError
}

/** What a member came to. */
export interface Outcome {
  readonly member: Member
  /** Undefined when it was never submitted. */
  readonly job: Job | undefined
  /** Set when it is the answer that failed, not when it was not waited for. */
  readonly error: JobError | undefined
  readonly answer: MemberAnswer | undefined
}

/** What is told of an answer while it is made. */
export interface MemberWatcher {
  onBegun(headers: Begun['headers']): Promise<void>
  onPiece(piece: Choice): Promise<void>
}

/** Submits members as children of the ensemble's job, and waits for them. */
export class MemberJobs {
  readonly #children: ChildJobs
  readonly #parent: Job
  readonly #scheduler: Scheduler

  constructor(children: ChildJobs, parent: Job, scheduler: Scheduler = systemScheduler) {
    this.#children = children
    this.#parent = parent
    this.#scheduler = scheduler
  }

  /**
   * Resolves with what became of the member.
   * @throws MeshError what may pass, and is no failure of the member; the reason of the signal
   */
  async answer(member: Member, options: AbortOptions, timeoutMs?: number): Promise<Outcome> {
    return await this.#outcome(member, options, job => {
      if (timeoutMs === undefined) return this.#children.untilEnd(job.id, options)
      return this.#within(member, job, timeoutMs, options, signal => this.#children.untilEnd(job.id, { signal }))
    })
  }

  /** As {@link answer}, watched from its first piece on. The time limit ends when the watcher says that it has begun. */
  async watched(
    member: Member,
    watcher: MemberWatcher,
    options: AbortOptions,
    limit?: { readonly ms: number; readonly begun: Promise<void> }
  ): Promise<Outcome> {
    return await this.#outcome(member, options, async job => {
      const following = this.#follow(member, job, watcher, options)
      if (limit === undefined) return await following
      // a rejection is seen where it is awaited; nobody else must trip over it meanwhile
      following.catch(() => {})
      await this.#within(member, job, limit.ms, options, () => Promise.race([limit.begun, following]))
      return await following
    })
  }

  /** Asks for its end, when it is still at work. Nobody waits for that. */
  async cancel({ job }: Pick<Outcome, 'job'>): Promise<void> {
    if (job !== undefined) await this.#children.cancel(job.id)
  }

  /**
   * Submits the member. One that an earlier attempt saw ended comes back with its answer or error.
   * @throws MeshError as {@link answer} does
   */
  async begin(member: Member, { signal }: AbortOptions): Promise<Outcome> {
    try {
      const job = await this.#submit(member, { signal })
      if (isFinal(job.state)) return outcomeOf(member, job)
      return { member, job, error: undefined, answer: undefined }
    } catch (error) {
      signal?.throwIfAborted()
      return ownFailure(member, undefined, error)
    }
  }

  async #submit(
    { index, model, role, endpoint, prepared }: Member,
    options: { readonly signal?: AbortSignal | undefined }
  ): Promise<Job> {
    if (prepared instanceof MeshError) throw prepared
    const name = role === 'judge' ? `judge ${model}` : `${index} ${model}`
    return await this.#children.submit(this.#parent, { name, endpoint: endpoint.path, prepared }, options)
  }

  async #outcome(member: Member, { signal }: AbortOptions, work: (job: Job) => Promise<Job>): Promise<Outcome> {
    let job: Job | undefined
    try {
      job = await this.#submit(member, { signal })
      return outcomeOf(member, await work(job))
    } catch (error) {
      signal?.throwIfAborted()
      return ownFailure(member, job, error)
    }
  }

  /** A member that takes too long is cancelled: it holds a slot. */
  async #within<T>(
    { model }: Member,
    job: Job,
    ms: number,
    options: AbortOptions,
    work: (signal: AbortSignal) => Promise<T>
  ): Promise<T> {
    try {
      return await withDeadline(`the answer of ${model}`, ms, work, { ...options, scheduler: this.#scheduler })
    } catch (error) {
      if (MeshError.from(error).code === 'deadline_exceeded') await this.#children.cancel(job.id)
      throw error
    }
  }

  async #follow({ endpoint }: Member, job: Job, watcher: MemberWatcher, options: AbortOptions): Promise<Job> {
    const view = endpoint.view?.(job)
    if (view === undefined) throw new MeshError('internal', `${job.endpoint} does not stream`)
    using following = this.#children.follow(job.id)
    const entries = following.entries(0, options)
    for (;;) {
      const { value, done } = await entries.next()
      if (done === true) return value
      const payloads = value.type === BEGUN ? view.begin() : view.render(value)
      if (value.type === BEGUN) await watcher.onBegun(begunOf(value).headers)
      for (const payload of payloads) for (const piece of piecesIn(payload)) await watcher.onPiece(piece)
    }
  }
}

/**
 * A failure of the member's own.
 * @throws MeshError what may pass: a member whose job failed with that is told so by its job
 */
function ownFailure(member: Member, job: Job | undefined, error: unknown): Outcome {
  const known = MeshError.from(error)
  if (known.retryable) throw known
  return { member, job, error: known.forClient(), answer: undefined }
}

/** What a job that has ended came to. */
export function outcomeOf(member: Member, job: Job): Outcome {
  const failure = jobErrorReply(job)
  if (failure !== undefined) {
    const { code, message, param } = failure.body.error
    return { member, job, error: { code: code ?? 'internal', message, param }, answer: undefined }
  }
  return { member, job, error: undefined, answer: memberAnswerSchema.parse(job.result?.body) }
}

/** When every member failed: the last one's status, and what each of them said. */
export function nobodyAnswered(outcomes: readonly Outcome[]): MeshError {
  const failed = outcomes.flatMap(({ member, error }) => (error === undefined ? [] : [{ model: member.model, error }]))
  const last = failed.at(-1)
  if (last === undefined) return new MeshError('internal', 'no model was asked')
  if (failed.length === 1) return toMeshError(last.error)
  const said = failed.map(({ model, error }) => `${model}: ${error.message}`).join(' ')
  return toMeshError({ ...last.error, message: `None of ${failed.length} models answered. ${said}` })
}
