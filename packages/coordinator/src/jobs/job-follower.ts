import { type AbortOptions, MeshError } from '@resultity/interface'
import { isFinal, type Job, type JobEvent, type JobStore } from '@resultity/store'

/** Entries read from the store at once. */
const PAGE = 256

/** Live entries kept for a follower that is slow; it reads what it missed from the store. */
const LIVE_MAX = 1024

export interface FollowerComponents {
  readonly store: JobStore
  /** Entries of a running job that are shown and not stored yet. */
  unstored(jobId: string): readonly JobEvent[]
}

/** Reads one job's log from some entry on, and goes on live until the job has ended. */
export class JobFollower {
  readonly jobId: string
  readonly #components: FollowerComponents
  readonly #end = Promise.withResolvers<Job>()
  #live: JobEvent[] = []
  #reading = false
  #final: Job | undefined
  #news = Promise.withResolvers<void>()

  constructor(jobId: string, components: FollowerComponents) {
    this.jobId = jobId
    this.#components = components
  }

  /** New entries, in order. */
  push(events: readonly JobEvent[]): void {
    if (!this.#reading) return
    this.#live.push(...events)
    if (this.#live.length > LIVE_MAX) this.#live = []
    this.#news.resolve()
  }

  /** The job has ended. */
  end(job: Job): void {
    this.#final = job
    this.#end.resolve(job)
    this.#news.resolve()
  }

  /** Looks into the store: for jobs that this process does not run. @throws MeshError `not_found` */
  async check(): Promise<void> {
    const job = await this.#load()
    if (isFinal(job.state)) this.end(job)
    else this.#news.resolve()
  }

  /**
   * Entries above `after`, then the job as it ended.
   * @throws MeshError `not_found` when there is no such job (any more); the signal's reason
   */
  async *entries(after: number, options: AbortOptions = {}): AsyncGenerator<JobEvent, Job> {
    let last = after
    this.#reading = true
    for (;;) {
      options.signal?.throwIfAborted()
      const news = this.#renewNews()
      const batch = this.#takeLive(last) ?? (await this.#read(last))
      for (const event of batch) {
        last = event.number
        yield event
      }
      if (batch.length > 0) continue
      const job = await this.#ended(last)
      if (job !== undefined) return job
      await interruptible(news, options)
    }
  }

  /** Resolves with the job when it has ended. @throws the signal's reason */
  ended(options: AbortOptions = {}): Promise<Job> {
    return interruptible(this.#end.promise, options)
  }

  #renewNews(): Promise<void> {
    this.#news = Promise.withResolvers()
    return this.#news.promise
  }

  #takeLive(last: number): JobEvent[] | undefined {
    const live = this.#live.filter(event => event.number > last)
    this.#live = []
    return live[0]?.number === last + 1 ? live : undefined
  }

  async #read(last: number): Promise<readonly JobEvent[]> {
    const stored = await this.#components.store.events(this.jobId, last, PAGE)
    if (stored.length > 0) return stored
    const unstored = this.#components.unstored(this.jobId).filter(event => event.number > last)
    return unstored[0]?.number === last + 1 ? unstored : []
  }

  async #ended(last: number): Promise<Job | undefined> {
    const job = this.#final ?? (await this.#load())
    return isFinal(job.state) && job.eventCount <= last ? job : undefined
  }

  async #load(): Promise<Job> {
    const job = await this.#components.store.get(this.jobId)
    if (job === undefined) throw new MeshError('not_found', `there is no request ${this.jobId} (any more)`)
    return job
  }
}

async function interruptible<T>(work: Promise<T>, { signal }: AbortOptions): Promise<T> {
  if (signal === undefined) return work
  signal.throwIfAborted()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
