import type { AbortOptions } from './abort-options.ts'
import type { Clock } from './clock.ts'

/** Something that a {@link Scheduler} will do. */
export interface Timer {
  /** Begins the wait anew. */
  refresh(): unknown
  /** Lets the process end though the wait is not over. */
  unref(): unknown
}

/**
 * Time and chance, given in: all that the mesh's own logic waits for, measures or draws. Programs have the real one,
 * `systemScheduler`; a simulation has one whose time passes only when nothing is left to do, and whose chance is a seed.
 *
 * As a {@link Clock} it is the wall clock: for what is told to people or compared with another machine's. That jumps
 * when somebody sets it; {@link monotonic} never does.
 */
export interface Scheduler extends Clock {
  /** Milliseconds, with fractions, for durations within one process. It began as the wall clock did and never jumps. */
  monotonic(): number
  /** Calls `run` once `ms` have passed. */
  setTimeout(run: () => void, ms: number): Timer
  /** Calls `run` every `ms`. */
  setInterval(run: () => void, ms: number): Timer
  /** Does not call what the timer would have; does nothing for one that is over, or none. */
  clear(timer: Timer | undefined): void
  /**
   * Resolves after `ms`.
   * @throws the signal's reason, as soon as it aborts
   */
  sleep(ms: number, options?: AbortOptions): Promise<void>
  /** A signal that aborts after `ms`, with a `TimeoutError`. It keeps no process from ending. */
  timeoutSignal(ms: number): AbortSignal
  /** From 0 up to 1. For jitter; no secret. */
  random(): number
  /** For names that must differ; no secret: those come from `node:crypto`. */
  randomBytes(count: number): Uint8Array
}

/** The clock of a scheduler that never jumps, in whole milliseconds: for windows, waits, leases. */
export function steadyClockOf(scheduler: Pick<Scheduler, 'monotonic'>): Clock {
  return { now: () => Math.round(scheduler.monotonic()) }
}

/** {@link Scheduler.sleep} over any timers. */
export async function sleepBy(
  scheduler: Pick<Scheduler, 'setTimeout' | 'clear'>,
  ms: number,
  { signal }: AbortOptions = {}
): Promise<void> {
  signal?.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onAbort = (): void => reject(signal?.reason)
  const timer = scheduler.setTimeout(resolve, ms)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    await promise
  } finally {
    scheduler.clear(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}
