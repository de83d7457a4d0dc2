import { MeshError } from './errors.ts'

export interface AbortOptions {
  readonly signal?: AbortSignal
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
  options: AbortOptions = {}
): Promise<T> {
  options.signal?.throwIfAborted()
  const controller = new AbortController()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const stop = (reason: unknown): void => {
    controller.abort(reason)
    reject(reason)
  }
  const timer = setTimeout(() => stop(new MeshError('deadline_exceeded', `${what} took longer than ${ms} ms`)), ms)
  const onAbort = (): void => stop(options.signal?.reason)
  options.signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work(controller.signal), aborted])
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', onAbort)
  }
}
