import type { Delivery, DeliveryAttempt, DeliveryOutcome } from '@resultity/store'

const second = 1000
const minute = 60 * second
const hour = 60 * minute

/** Pauses after each attempt that failed: a restart is over in a minute, an outage in a day. */
const PAUSES_MS = [5 * second, 30 * second, 2 * minute, 10 * minute, hour, 3 * hour, 6 * hour, 12 * hour, 24 * hour]

/** Spreads what failed together. */
const JITTER = 0.2

export const DELIVERY_ATTEMPTS_MAX = PAUSES_MS.length + 1

/** Whether the receiver took it. */
export function hasArrived({ status }: DeliveryAttempt): boolean {
  return status !== null && status >= 200 && status < 300
}

/** The receiver says that it is gone for good. */
export function isGone({ status }: DeliveryAttempt): boolean {
  return status === 410
}

/**
 * The state of a delivery after an attempt.
 * @param random between 0 and 1
 */
export function outcomeOf({ attempts }: Delivery, attempt: DeliveryAttempt, random: number): DeliveryOutcome {
  if (hasArrived(attempt)) return { state: 'delivered' }
  const pause = PAUSES_MS[attempts - 1]
  if (pause === undefined || isGone(attempt)) return { state: 'failed' }
  const endedAtMs = attempt.atMs + attempt.durationMs
  return { state: 'pending', dueAtMs: Math.round(endedAtMs + pause * (1 + JITTER * random)) }
}
