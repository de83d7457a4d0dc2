/** How far a limit of a key is used. */
export interface RateLimitState {
  readonly kind: 'requests' | 'tokens'
  readonly limit: number
  readonly remaining: number
  /** Milliseconds until all of it is there again. */
  readonly resetMs: number
}

/** `x-ratelimit-{limit,remaining,reset}-KIND`, as OpenAI's API has them. */
export function rateLimitHeaders({ kind, limit, remaining, resetMs }: RateLimitState): Record<string, string> {
  return {
    [`x-ratelimit-limit-${kind}`]: String(limit),
    [`x-ratelimit-remaining-${kind}`]: String(remaining),
    [`x-ratelimit-reset-${kind}`]: formatReset(resetMs)
  }
}

/** As OpenAI writes times: `350ms`, `7s`, `6m0s`. */
export function formatReset(ms: number): string {
  const whole = Math.max(0, Math.ceil(ms))
  if (whole < 1000) return `${whole}ms`
  const seconds = Math.ceil(whole / 1000)
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`
}

/** When to try again: `retry-after` in whole seconds for everybody, `retry-after-ms` for OpenAI's clients. */
export function retryAfterHeaders(ms: number): Record<string, string> {
  const whole = Math.max(1, Math.ceil(ms))
  return { 'retry-after': String(Math.ceil(whole / 1000)), 'retry-after-ms': String(whole) }
}
