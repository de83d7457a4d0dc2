import type { Clock } from './clock.ts'
import { type Scheduler, sleepBy, steadyClockOf } from './scheduler.ts'

/** The machine's own time and chance. */
export const systemScheduler: Scheduler = {
  now: () => Date.now(),
  monotonic: () => performance.timeOrigin + performance.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  setInterval: (run, ms) => setInterval(run, ms),
  // Node clears either kind by either function
  clear: timer => clearTimeout(timer as NodeJS.Timeout | undefined),
  sleep: (ms, options) => sleepBy(systemScheduler, ms, options),
  timeoutSignal: ms => AbortSignal.timeout(ms),
  random: () => Math.random(),
  randomBytes: count => crypto.getRandomValues(new Uint8Array(count))
}

/** The wall clock: for what is told to people or compared with another machine's. It jumps when somebody sets it. */
export const systemClock: Clock = systemScheduler

/**
 * For durations within one process: windows, waits, leases. It began as the wall clock did and never jumps, so it may
 * differ from that clock by as much as that was set since.
 */
export const steadyClock: Clock = steadyClockOf(systemScheduler)
