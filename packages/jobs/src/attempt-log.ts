import { isDeepStrictEqual } from 'node:util'
import { MeshError, type Scheduler, systemScheduler, type Timer } from '@resultity/interface'
import type { JobClaim, JobEvent, JobStore, JsonValue, NewJobEvent } from '@resultity/store'
import { AttemptProgress, isProgress, type JobProgress } from './attempt-progress.ts'
import type { JobLog } from './job-kind.ts'

export interface AttemptLogInit {
  readonly claim: JobClaim
  readonly wanted: boolean
  /** Entries of earlier attempts: this one has to reproduce them, but for what they left to it. */
  readonly logged: readonly JobEvent[]
  /** Number of the last entry in the store. */
  readonly last: number
  /**
   * True: an entry is shown to followers once it is stored, so that a shown entry is never lost. While nobody follows,
   * entries are stored in groups. False: an entry is shown at once, and stored with others a little later; for answers
   * that end with their client's connection. Those leave nothing to a further attempt.
   */
  readonly durable: boolean
  /** How long entries that were shown may wait for others to be stored with. */
  readonly delayMs: number
  /** Entries not yet stored; more make the writer wait. */
  readonly pendingMax: number
}

export interface AttemptLogComponents {
  readonly store: JobStore
  /** Shows entries to followers. */
  publish(events: readonly JobEvent[]): void
  /** Whether a follower waits for entries now. */
  isFollowed(): boolean
  /** The store refused, as it does when the attempt is void: it cannot go on. */
  onError(error: MeshError): void
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

/** Entries written as one row: the least that a reader takes from the store at once. */
const ENTRIES_A_ROW_MAX = 128

/**
 * The log of one attempt: compares entries with those of earlier attempts, numbers new ones, and writes them in groups.
 */
export class AttemptLog implements JobLog {
  readonly #components: AttemptLogComponents
  readonly #init: AttemptLogInit
  /** Entries of earlier attempts that are still to be reproduced, by series. */
  readonly #expected = new Map<string, JobEvent[]>()
  readonly #progress: AttemptProgress
  /** Number of the last entry in the store; those that are pending follow it. */
  #stored: number
  #pending: NewJobEvent[] = []
  readonly #scheduler: Scheduler
  #timer: Timer | undefined
  #writing: Promise<void> | undefined
  #error: MeshError | undefined

  constructor(components: AttemptLogComponents, init: AttemptLogInit) {
    this.#components = components
    this.#init = init
    this.#scheduler = components.scheduler ?? systemScheduler
    this.#stored = init.last
    this.#progress = new AttemptProgress(init.logged, () => this.#awaitMore())
    for (const event of init.logged) {
      if (isProgress(event)) continue
      const series = seriesOf(event)
      const earlier = this.#expected.get(series)
      if (earlier === undefined) this.#expected.set(series, [event])
      else earlier.push(event)
    }
  }

  get wanted(): boolean {
    return this.#init.wanted
  }

  get progress(): JobProgress | undefined {
    return this.#init.durable ? this.#progress : undefined
  }

  /** Entries that followers may see and the store does not have yet. */
  get unstored(): readonly JobEvent[] {
    return this.#init.durable ? [] : numbered(this.#pending, this.#stored)
  }

  add(type: string, data: JsonValue): Promise<void> | undefined {
    const before = this.#before({ type, data })
    if (before === undefined) return this.#push({ type, data })
    // entries from the store went through JSON
    if (isDeepStrictEqual(before.data, JSON.parse(JSON.stringify(data)))) return undefined
    throw new MeshError('replay_diverged', `entry ${before.number} of ${this.#init.claim.jobId} came out otherwise`, {
      hint: 'The answer had begun on other hardware; send the request again.'
    })
  }

  note(type: string, data: JsonValue): Promise<void> | undefined {
    return this.#before({ type, data }) === undefined ? this.#push({ type, data }) : undefined
  }

  /** Resolves when everything is stored. @throws MeshError `job_lease_lost` */
  async flush(): Promise<void> {
    while (this.#isBehind) await this.#write()
    this.#scheduler.clear(this.#timer)
    this.#timer = undefined
    if (this.#error !== undefined) throw this.#error
  }

  /** The answer is whole: as {@link flush}, but nothing is written only for a further attempt. */
  async end(): Promise<void> {
    if (this.#pending.length === 0) this.#progress.drop()
    await this.flush()
  }

  /** There is a follower from now on. */
  show(): void {
    if (this.#init.durable && this.#pending.length > 0 && this.#error === undefined) void this.#write()
  }

  /** Stops writing. */
  stop(): void {
    this.#progress.drop()
    this.#scheduler.clear(this.#timer)
  }

  /** The entry that an earlier attempt logged at this place. */
  #before(event: NewJobEvent): JobEvent | undefined {
    return this.#expected.size === 0 ? undefined : this.#expected.get(seriesOf(event))?.shift()
  }

  #push(event: NewJobEvent): Promise<void> | undefined {
    if (!this.#init.wanted) return undefined
    if (this.#error !== undefined) throw this.#error
    this.#pending.push(event)
    if (!this.#init.durable) this.#components.publish(numbered([event], this.#stored + this.#pending.length - 1))
    if (this.#pending.length >= this.#init.pendingMax) return this.flush()
    this.#schedule()
    return undefined
  }

  #schedule(): void {
    if (this.#init.durable && this.#components.isFollowed()) {
      void this.#write()
      return
    }
    this.#awaitMore()
  }

  /** Writes in a moment, together with what comes until then. */
  #awaitMore(): void {
    this.#timer ??= this.#scheduler.setTimeout(() => {
      this.#timer = undefined
      if (this.#isBehind) void this.#write()
    }, this.#init.delayMs)
  }

  get #isBehind(): boolean {
    return (this.#pending.length > 0 || this.#progress.changed) && this.#error === undefined
  }

  /** One write at a time; entries added since go with the next. Never rejects: the next caller gets the error. */
  #write(): Promise<void> {
    this.#writing ??= this.#writePending().finally(() => {
      this.#writing = undefined
      if (this.#pending.length > 0 && this.#error === undefined) this.#schedule()
      else if (this.#isBehind) this.#awaitMore()
    })
    return this.#writing
  }

  async #writePending(): Promise<void> {
    const batch = this.#pending.slice(0, ENTRIES_A_ROW_MAX)
    // what is shown never goes further than what a further attempt can go on from
    const events = [...this.#progress.take(), ...batch]
    const last = this.#stored
    try {
      this.#stored = await this.#components.store.append(this.#init.claim, last, events)
      if (this.#init.durable) this.#components.publish(numbered(events, last))
      this.#pending = this.#pending.slice(batch.length)
    } catch (error) {
      this.#error = MeshError.from(error)
      this.#components.onError(this.#error)
    }
  }
}

/** Fields that say what of an answer an entry is about. */
const PLACES = ['index', 'step', 'partial'] as const

/**
 * Answers made in parallel interleave in no fixed order, so each has a series of its own, by its index. Entries that name their step
 * are found again by an attempt that begins behind some of them.
 */
function seriesOf({ type, data }: NewJobEvent): string {
  if (data === null || typeof data !== 'object') return type
  const fields: Readonly<Record<string, unknown>> = { ...data }
  const places = PLACES.map(place => fields[place]).filter(place => typeof place === 'number')
  return [type, ...places].join(' ')
}

/** @param last number of the entry before them */
function numbered(events: readonly NewJobEvent[], last: number): JobEvent[] {
  return events.map((event, index) => ({ number: last + 1 + index, ...event }))
}
