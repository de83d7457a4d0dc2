import type { Clock } from '@resultity/interface'
import { LRUCache } from 'lru-cache'

export interface Reservation<Counted> {
  readonly tokens: number
  readonly counted: readonly Counted[]
}

/** A reservation counts in a window of a minute and is forgotten with it. */
const RESERVATION_MS = 60_000

/** Most reservations that are remembered. A job above this keeps its reservation until its minute is over. */
const RESERVATIONS_MAX = 50_000

/** Reservations of jobs that have not ended, as long as their window lasts. */
export class Reservations<Counted> {
  readonly #byJob: LRUCache<string, Reservation<Counted>>

  constructor(clock: Clock) {
    this.#byJob = new LRUCache({ max: RESERVATIONS_MAX, ttl: RESERVATION_MS, ttlResolution: 0, perf: clock })
  }

  keep(jobId: string, reservation: Reservation<Counted>): void {
    if (reservation.counted.length > 0) this.#byJob.set(jobId, reservation)
  }

  /** Once. */
  take(jobId: string): Reservation<Counted> | undefined {
    const reservation = this.#byJob.get(jobId)
    this.#byJob.delete(jobId)
    return reservation
  }
}
