/** Time, given in, so that leases and adverts can be tested without waiting. The part of a `Scheduler` that only tells it. */
export interface Clock {
  /** Unix time in milliseconds. */
  now(): number
}
