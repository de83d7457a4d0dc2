import type { JobClass, JobSubmission } from '@resultity/store'

/** Who asks, and how the answer is to reach them. */
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
  /** Part of what was taken in: however many wait, it may too. */
  readonly admitted?: boolean
  /** Milliseconds to wait for a place; the default depends on `detached`. */
  readonly waitMs?: number
}
