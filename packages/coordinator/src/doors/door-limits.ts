/** Bounds and times of keys, limits, usage and webhooks. */
export interface DoorLimits {
  /** For how long a key that was revoked elsewhere may still open this coordinator. */
  readonly keyCacheMs: number
  /** Keys kept in memory. */
  readonly keysCachedMax: number
  /** How exact the time of a key's last use is. */
  readonly keyUseMs: number
  /** For how long usage is kept. */
  readonly usageKeepMs: number
  /** How often what is over is removed. */
  readonly upkeepMs: number
}

export const DEFAULT_DOOR_LIMITS: DoorLimits = {
  keyCacheMs: 2000,
  keysCachedMax: 10_000,
  keyUseMs: 60_000,
  usageKeepMs: 400 * 86_400_000,
  upkeepMs: 60_000
}
