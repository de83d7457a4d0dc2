import { type AbortOptions, MeshError } from '@resultity/interface'
import { isFinal, type Job, type JobEvent, type JobStore } from '@resultity/store'

/** Entries read from the store at once. */
const PAGE = 128

/** Live entries kept in memory for a slow follower; it reads those it missed from the store. */
const LIVE_MAX = 64

export interface FollowerComponents {
  readonly store: Pick<JobStore, 'events' | 'get'>
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
  /** The store may have entries that were not pushed. The store is read only then, and not for every entry. */
  #behind = true
  #failure: MeshError | undefined
  #news = Promise.withResolvers<void>()

  constructor(jobId: string, components: FollowerComponents) {
    this.jobId = jobId
    this.#components = components
  }

  /** New entries, in order. */
  push(events: readonly JobEvent[]): void {
    if (!this.#reading) return
    this.#live.push(...events)
    if (this.#live.length > LIVE_MAX) this.#lookIntoStore()
    this.#wake()
  }

  /** The job has ended. */
  end(job: Job): void {
    // a reader has the answer from its log: the whole of it once more, for as long as that is read, would be in memory
    if (!this.#reading) this.#end.resolve(job)
    // the last entry is the store's own
    this.#lookIntoStore()
    this.#wake()
  }

  /** The job's end will not be told for now. */
  fail(error: MeshError): void {
    this.#failure = error
    // a caller that waits gets the error
    this.#end.promise.catch(() => {})
    this.#end.reject(error)
    this.#wake()
  }

  /** Looks into the store: for jobs that this process does not run. @throws MeshError `not_found` */
  async check(): Promise<void> {
    const job = await this.#load()
    if (isFinal(job.state)) return this.end(job)
    this.#lookIntoStore()
    this.#wake()
  }

  /**
   * Entries above `after`, then the job as it ended.
   * @throws MeshError `not_found` when there is no such job (any more); why the job's end cannot be told; the signal's
   * reason
   */
  async *entries(after: number, { signal }: AbortOptions = {}): AsyncGenerator<JobEvent, Job> {
    let last = after
    this.#reading = true
    signal?.addEventListener('abort', this.#wake, { once: true })
    try {
      for (;;) {
        signal?.throwIfAborted()
        if (this.#failure !== undefined) throw this.#failure
        this.#news = Promise.withResolvers()
        const news = this.#news.promise
        const asked = this.#behind
        const batch = asked ? await this.#read(last) : this.#takeLive(last)
        for (const event of batch) {
          last = event.number
          yield event
        }
        if (batch.length > 0 || this.#behind) continue
        const job = asked ? await this.#ended(last) : undefined
        if (job !== undefined) return job
        if (!this.#behind) await news
      }
    } finally {
      signal?.removeEventListener('abort', this.#wake)
    }
  }

  /** Resolves with the job when it has ended; not beside {@link entries}, which end with it. @throws the signal's reason */
  ended(options: AbortOptions = {}): Promise<Job> {
    return interruptible(this.#end.promise, options)
  }

  readonly #wake = (): void => this.#news.resolve()

  #lookIntoStore(): void {
    this.#behind = true
    this.#live = []
  }

  /** Live entries that follow `last` without a gap. */
  #takeLive(last: number): readonly JobEvent[] {
    const live = this.#live[0]?.number === last + 1 ? this.#live : this.#live.filter(event => event.number > last)
    this.#live = []
    if (live.length === 0 || live[0]?.number === last + 1) return live
    this.#behind = true
    return []
  }

  /** The next entries of the store; none when it has no more yet. */
  async #read(last: number): Promise<readonly JobEvent[]> {
    this.#behind = false
    const stored = await this.#components.store.events(this.jobId, last, PAGE)
    const unstored = this.#components.unstored(this.jobId).filter(event => event.number > last)
    const found = stored.length > 0 || unstored[0]?.number !== last + 1 ? stored : unstored
    // there may be another page
    if (found.length > 0) this.#behind = true
    return found
  }

  async #ended(last: number): Promise<Job | undefined> {
    const job = await this.#load()
    if (!isFinal(job.state)) return undefined
    if (job.eventCount <= last) return job
    this.#behind = true
    return undefined
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
