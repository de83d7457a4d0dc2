import type { JsonValue } from '../job.ts'

/** A URL that gets events about the work of a namespace. */
export interface Webhook {
  readonly id: string
  readonly namespace: string
  readonly url: string
  /** Types of events it wants: `job.succeeded`. */
  readonly events: readonly string[]
  /** For people. */
  readonly description: string
  /** Signs what is sent. As usable as a password: shown once, never logged. */
  readonly secret: string
  readonly createdAtMs: number
  /** Since when nothing has arrived; null when the last attempt did. */
  readonly failingSinceMs: number | null
  /** Disabled, it gets no more deliveries. */
  readonly disabledAtMs: number | null
  readonly disabledReason: string | null
}

export type NewWebhook = Omit<Webhook, 'failingSinceMs' | 'disabledAtMs' | 'disabledReason'>

/**
 * - `pending`   to be sent, or to be sent again
 * - `delivered` the receiver took it
 * - `failed`    no further attempt is made
 */
export type DeliveryState = 'pending' | 'delivered' | 'failed'

/** One try at sending. */
export interface DeliveryAttempt {
  /** Unix milliseconds. */
  readonly atMs: number
  readonly durationMs: number
  /** The receiver's answer; null when there was none. */
  readonly status: number | null
  /** Why it did not arrive; null when it did. */
  readonly error: string | null
}

/** One event on its way to one webhook. */
export interface Delivery {
  /** Names it to the receiver, the same on every attempt. */
  readonly id: string
  readonly webhookId: string
  readonly type: string
  /** The job or batch it is about. */
  readonly subjectId: string
  readonly data: JsonValue
  readonly state: DeliveryState
  readonly attempts: number
  /** When it is to be sent next. */
  readonly dueAtMs: number
  /** The last attempts, oldest first. */
  readonly log: readonly DeliveryAttempt[]
  readonly createdAtMs: number
  readonly endedAtMs: number | null
}
