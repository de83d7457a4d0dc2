/** Time, given in, so that leases and adverts can be tested without waiting. */
export interface Clock {
  /** Unix time in milliseconds. */
  now(): number
}

/** The wall clock: for what is told to people or compared with another machine's. It jumps when somebody sets it. */
export const systemClock: Clock = { now: () => Date.now() }

/**
 * For durations within one process: windows, waits, leases. It began as the wall clock did and never jumps, so it may
 * differ from that clock by as much as that was set since.
 */
export const steadyClock: Clock = { now: () => Math.round(performance.timeOrigin + performance.now()) }
