import { MeshError } from '@resultity/interface'
import type { Job, JobOutcome } from '@resultity/store'

/** Why an attempt was aborted from outside. */
export type AbortCause = 'cancelled' | 'stopping' | 'lease_lost' | 'yielded'

/**
 * The state of a job after a failed attempt. Pure.
 *
 * A job whose client waits fails at once: the client knows best whether to ask again. A job that goes on by itself is
 * tried again where that may help.
 */
export function outcomeOf(
  error: MeshError,
  job: Job,
  { detached, cause }: { readonly detached: boolean; readonly cause: AbortCause | undefined }
): JobOutcome {
  if (cause === 'cancelled') return { state: 'cancelled' }
  if (cause === 'yielded') return { state: 'queued', interrupted: true }
  if (cause === 'stopping') {
    return detached ? { state: 'queued', interrupted: true } : { state: 'failed', error: error.forClient() }
  }
  const mayRetry = detached && error.retryable && job.attempts - job.interruptions < job.attemptsMax
  return mayRetry ? { state: 'queued', interrupted: false } : { state: 'failed', error: error.forClient() }
}

/** Longest pause before another attempt. */
const RETRY_MS_MAX = 60_000

/** Milliseconds from an attempt's end to the next one: none unless it failed, then longer each time. Pure. */
export function pauseBeforeNext(outcome: JobOutcome, job: Job, firstMs: number): number {
  if (outcome.state !== 'queued' || outcome.interrupted) return 0
  const failedBefore = job.attempts - job.interruptions - 1
  return Math.min(firstMs * 4 ** failedBefore, RETRY_MS_MAX)
}

/** The abort reason that says why. */
export function abortReason(cause: AbortCause): MeshError {
  switch (cause) {
    case 'cancelled':
      return new MeshError('canceled', 'the request was cancelled')
    case 'stopping':
      return new MeshError('unavailable', 'the coordinator is stopping', { hint: 'Try again in a moment.' })
    case 'yielded':
      return new MeshError('unavailable', 'the batch made room for somebody who waits')
    case 'lease_lost':
      return new MeshError('job_lease_lost', 'another coordinator has taken the request over')
  }
}
