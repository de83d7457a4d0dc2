import { type RateLimitState, rateLimitHeaders } from '@resultity/api-kit'
import type { Window } from './key-limits.ts'

/** One limit and how far it is used. */
export interface LimitState {
  readonly window: Window
  readonly used: number
  /** Unix milliseconds. */
  readonly endsAtMs: number
}

export type LimitKind = RateLimitState['kind']

/** The limit closest to being reached; undefined where there is none. */
export function nearestLimit(
  kind: LimitKind,
  states: readonly LimitState[],
  nowMs: number
): RateLimitState | undefined {
  const nearest = states.toSorted((a, b) => remaining(a) - remaining(b)).at(0)
  if (nearest === undefined) return undefined
  const { window, used, endsAtMs } = nearest
  return { kind, limit: window.points, remaining: remaining(nearest), resetMs: used === 0 ? 0 : endsAtMs - nowMs }
}

/** The headers of the limit that is nearest; none where there is no limit. */
export function limitHeaders(kind: LimitKind, states: readonly LimitState[], nowMs: number): Record<string, string> {
  const nearest = nearestLimit(kind, states, nowMs)
  return nearest === undefined ? {} : rateLimitHeaders(nearest)
}

function remaining({ window, used }: LimitState): number {
  return Math.min(window.points, Math.max(0, window.points - used))
}
