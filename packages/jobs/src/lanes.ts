import type { ClaimedJob, ClaimRequest, JobClass, JobCounts } from '@resultity/store'
import { batchClaims, interactiveClaims, type LaneState, lanesToYield, type Places } from './job-queue.ts'

interface Lane {
  readonly running: Record<JobClass, number>
  readonly waiting: Record<JobClass, boolean>
  yielding: number
}

/** One coordinator's view of its lanes: jobs running here, and where jobs may be waiting. */
export class Lanes {
  readonly #places: Places
  readonly #lanes = new Map<string, Lane>()
  readonly #queued: Record<JobClass, number> = { interactive: 0, batch: 0 }

  constructor(places: Places) {
    this.#places = places
  }

  /** Waiting jobs by class, as this process knows them. */
  get queued(): Readonly<Record<JobClass, number>> {
    return this.#queued
  }

  names(): string[] {
    return [...this.#lanes.keys()]
  }

  /** Whether a job may begin at once: no other waits, and there is a place for it. */
  mayBegin(name: string, jobClass: JobClass): boolean {
    const { running, waiting, yielding } = this.#lane(name)
    if (waiting.interactive || waiting[jobClass]) return false
    const places = this.#places.places(name)
    const alone = { interactive: false, batch: false, [jobClass]: true }
    const one = { lane: name, places, running, yielding, waiting: alone }
    return (jobClass === 'batch' ? batchClaims([one]) : interactiveClaims([one])).length > 0
  }

  /** Takes places, before the store says who gets them. */
  enter(name: string, jobClass: JobClass, count = 1): void {
    this.#lane(name).running[jobClass] += count
  }

  leave(name: string, jobClass: JobClass, count = 1): void {
    this.#lane(name).running[jobClass] -= count
  }

  /** Lanes where a batch job has to make room. */
  toYield(): string[] {
    return lanesToYield(this.#states())
  }

  /** A batch job of this lane was told to make room. */
  yielding(name: string): void {
    this.#lane(name).yielding++
  }

  /** It has. */
  yielded(name: string): void {
    this.#lane(name).yielding--
  }

  /** A job of this lane waits. */
  enqueued(name: string, jobClass: JobClass): void {
    this.#queued[jobClass]++
    this.#lane(name).waiting[jobClass] = true
  }

  /** Jobs of this lane may wait, of whichever class. */
  mayWait(name: string): void {
    const { waiting } = this.#lane(name)
    waiting.interactive = true
    waiting.batch = true
  }

  claimRequests(jobClass: JobClass): ClaimRequest[] {
    return jobClass === 'batch' ? batchClaims(this.#states()) : interactiveClaims(this.#states())
  }

  /** Reports the result of a claim whose places were entered: unneeded places are free again. */
  claimed({ lane: name, class: jobClass, count }: ClaimRequest, claimed: readonly ClaimedJob[]): void {
    const got = claimed.filter(({ job }) => job.lane === name && job.class === jobClass).length
    this.leave(name, jobClass, count - got)
    if (got < count) this.#lane(name).waiting[jobClass] = false
    this.#queued[jobClass] = Math.max(0, this.#queued[jobClass] - got)
  }

  /** Updates the counts from the store. */
  recount(counts: readonly JobCounts[]): void {
    this.#queued.interactive = 0
    this.#queued.batch = 0
    for (const { lane, class: jobClass, state, count } of counts) {
      if (state !== 'queued') continue
      this.#queued[jobClass] += count
      this.#lane(lane).waiting[jobClass] = true
    }
  }

  /** States of lanes whose jobs may be claimed. */
  #states(): LaneState[] {
    const claimable = [...this.#lanes].filter(([lane]) => this.#places.mayClaim(lane))
    return claimable.map(([lane, { running, waiting, yielding }]) => ({
      lane,
      places: this.#places.places(lane),
      running,
      yielding,
      waiting
    }))
  }

  #lane(name: string): Lane {
    const known = this.#lanes.get(name)
    if (known !== undefined) return known
    const none = { interactive: 0, batch: 0 }
    const lane: Lane = { running: none, waiting: { interactive: false, batch: false }, yielding: 0 }
    this.#lanes.set(name, lane)
    return lane
  }
}
