import type { JobClass, JobSubmission } from '@resultity/store'
import { expectedBytes } from './answer-size.ts'
import type { PreparedJob } from './job-kind.ts'

/** The owner of a job, and how its answer is delivered. */
export interface SubmitOptions {
  readonly id: string
  readonly endpoint: string
  readonly namespace: string
  readonly keyId: string | null
  readonly class?: JobClass
  /** Goes on when the client has gone. */
  readonly detached: boolean
  readonly idempotency?: NonNullable<JobSubmission['idempotency']>
  readonly groupId?: string
  readonly customId?: string
  readonly hidden?: boolean
  /** Part of an admitted job: it may wait, whatever the length of the queue. */
  readonly admitted?: boolean
  /** Milliseconds to wait for a place; the default depends on `detached`. */
  readonly waitMs?: number
}

/** How long jobs wait, and how often they are tried. */
export interface SubmissionRules {
  readonly slotWaitMs: number
  readonly detachedWaitMs: number
  readonly jobAttemptsMax: number
}

/** The stored form of a request. Pure. */
export function submissionOf(
  prepared: PreparedJob,
  options: SubmitOptions,
  { slotWaitMs, detachedWaitMs, jobAttemptsMax }: SubmissionRules
): JobSubmission {
  const { id, endpoint, namespace, keyId, detached, idempotency, groupId, customId, hidden } = options
  const jobClass = options.class ?? 'interactive'
  const logged = prepared.streamed || (detached && jobClass === 'interactive')
  return {
    id,
    endpoint,
    namespace,
    keyId,
    class: jobClass,
    lane: prepared.lane,
    body: { request: prepared.request, streamed: prepared.streamed, detached },
    waitMs: options.waitMs ?? (detached ? detachedWaitMs : slotWaitMs),
    attemptsMax: jobAttemptsMax,
    places: prepared.places ?? 1,
    reservedBytes: expectedBytes(prepared, logged, detached),
    // parts go with the whole
    ...(prepared.unstored === true && hidden !== true ? { unstored: true } : {}),
    ...(prepared.metadata === undefined || hidden === true ? {} : { metadata: prepared.metadata }),
    ...(idempotency === undefined ? {} : { idempotency }),
    ...(groupId === undefined ? {} : { groupId }),
    ...(customId === undefined ? {} : { customId }),
    ...(hidden === undefined ? {} : { hidden })
  }
}
