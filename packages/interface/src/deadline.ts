import type { AbortOptions } from './abort-options.ts'
import { MeshError } from './errors.ts'
import type { Scheduler } from './scheduler.ts'
import { systemScheduler } from './system-scheduler.ts'

export interface DeadlineOptions extends AbortOptions {
  /** Whose time it is. Default: the machine's. */
  readonly scheduler?: Scheduler
}

/**
 * Runs `work` with a signal that aborts when `ms` have passed or when the caller's signal aborts.
 *
 * @param what names the deadline in the error: "first token took longer than 30000 ms"
 * @throws MeshError `deadline_exceeded` when the time is up; the caller's own abort reason when that came first
 */
export async function withDeadline<T>(
  what: string,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  { signal, scheduler = systemScheduler }: DeadlineOptions = {}
): Promise<T> {
  signal?.throwIfAborted()
  const controller = new AbortController()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const stop = (reason: unknown): void => {
    controller.abort(reason)
    reject(reason)
  }
  const late = (): void => stop(new MeshError('deadline_exceeded', `${what} took longer than ${ms} ms`))
  const timer = scheduler.setTimeout(late, ms)
  const onAbort = (): void => stop(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work(controller.signal), aborted])
  } finally {
    scheduler.clear(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}
