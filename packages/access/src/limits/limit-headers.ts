import type { Window } from './key-limits.ts'

/** One limit and how far it is used. */
export interface LimitState {
  readonly window: Window
  readonly used: number
  /** Unix milliseconds. */
  readonly endsAtMs: number
}

export type LimitKind = 'requests' | 'tokens'

/** `x-ratelimit-{limit,remaining,reset}-KIND` of the limit that is nearest; none where there is no limit. */
export function limitHeaders(kind: LimitKind, states: readonly LimitState[], nowMs: number): Record<string, string> {
  const nearest = states.toSorted((a, b) => remaining(a) - remaining(b)).at(0)
  if (nearest === undefined) return {}
  return {
    [`x-ratelimit-limit-${kind}`]: String(nearest.window.points),
    [`x-ratelimit-remaining-${kind}`]: String(remaining(nearest)),
    [`x-ratelimit-reset-${kind}`]: formatReset(nearest.used === 0 ? 0 : nearest.endsAtMs - nowMs)
  }
}

function remaining({ window, used }: LimitState): number {
  return Math.min(window.points, Math.max(0, window.points - used))
}

/** As OpenAI writes times: `350ms`, `7s`, `6m0s`. */
export function formatReset(ms: number): string {
  const whole = Math.max(0, Math.ceil(ms))
  if (whole < 1000) return `${whole}ms`
  const seconds = Math.ceil(whole / 1000)
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`
}

/** When to try again: `retry-after` in whole seconds for everybody, `retry-after-ms` for OpenAI's clients. */
export function retryHeaders(ms: number): Record<string, string> {
  const whole = Math.max(1, Math.ceil(ms))
  return { 'retry-after': String(Math.ceil(whole / 1000)), 'retry-after-ms': String(whole) }
}
