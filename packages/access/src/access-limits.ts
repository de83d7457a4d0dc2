/** Bounds and times of keys, limits, usage and webhooks. */
export interface AccessLimits {
  /** How long a key that was revoked elsewhere may still be accepted by this coordinator. */
  readonly keyCacheMs: number
  /** Keys kept in memory. */
  readonly keysCachedMax: number
  /** Parallel look-ups in the database for keys that have not been used here. */
  readonly keyLookupsMax: number
  /** Invalid keys from one address (or IPv6 network of 64 bits) in a window; above that it is answered 429. */
  readonly failedKeysMax: number
  readonly failedKeysWindowMs: number
  /** Addresses of which that is remembered. */
  readonly failedAddressesMax: number
  /** How exact the time of a key's last use is. */
  readonly keyUseMs: number
  /** For how long usage is kept. */
  readonly usageKeepMs: number
  /** Time from the start of a webhook delivery to the end of its answer. */
  readonly webhookTimeoutMs: number
  /** Largest answer of a receiver that is read; a longer one is cut off. */
  readonly webhookAnswerBytesMax: number
  /** Deliveries in progress at once, to all receivers and to one. */
  readonly deliveriesMax: number
  readonly deliveriesPerWebhookMax: number
  /** Deliveries that may wait for one receiver. A receiver with more is disabled. */
  readonly deliveriesWaitingMax: number
  /** How often the queue of deliveries is looked at. */
  readonly webhookPollMs: number
  /** A receiver that has accepted nothing for this time is disabled. */
  readonly webhookFailingMs: number
  /** For how long the log of deliveries is kept. */
  readonly deliveryKeepMs: number
  /** How often expired data is removed. */
  readonly upkeepMs: number
}

const DAY_MS = 86_400_000

export const DEFAULT_ACCESS_LIMITS: AccessLimits = {
  keyCacheMs: 2000,
  keysCachedMax: 10_000,
  keyLookupsMax: 64,
  failedKeysMax: 100,
  failedKeysWindowMs: 60_000,
  failedAddressesMax: 10_000,
  keyUseMs: 60_000,
  usageKeepMs: 400 * DAY_MS,
  webhookTimeoutMs: 15_000,
  webhookAnswerBytesMax: 64 * 1024,
  deliveriesMax: 32,
  deliveriesPerWebhookMax: 4,
  deliveriesWaitingMax: 100_000,
  webhookPollMs: 500,
  webhookFailingMs: 3 * DAY_MS,
  deliveryKeepMs: 30 * DAY_MS,
  upkeepMs: 60_000
}
