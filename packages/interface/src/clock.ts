/** Time, given in, so that leases and adverts can be tested without waiting. */
export interface Clock {
  /** Unix time in milliseconds. */
  now(): number
}

export const systemClock: Clock = { now: () => Date.now() }
