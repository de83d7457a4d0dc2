import { z } from 'zod'

const rates = z.strictObject({
  requests_per_second: z.number().positive().max(1_000_000).optional().describe('Requests a second, on average.'),
  burst: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe('Requests at once: so many in any time of burst / requests_per_second. Default: those of one second.'),
  tokens_per_minute: z
    .int()
    .min(1)
    .max(2_000_000_000)
    .optional()
    .describe('Tokens of prompts and answers a minute. Reserved when a request is let in, settled when it ends.'),
  concurrent_jobs: z.int().min(1).max(1_000_000).optional().describe('Jobs queued or running at once.')
})
export type Rates = z.infer<typeof rates>

/** Most endpoints with limits of their own for one key. */
const ENDPOINTS_MAX = 32

/** Rates of one key, over all endpoints and at single ones. */
export const keyLimitsSchema = rates
  .extend({
    endpoints: z
      .record(z.string().regex(/^\/v1\/[a-z/_-]+$/, 'expected an endpoint such as /v1/chat/completions'), rates)
      .refine(endpoints => Object.keys(endpoints).length <= ENDPOINTS_MAX, `${ENDPOINTS_MAX} endpoints at most`)
      .optional()
      .describe('Limits of single endpoints, which hold besides the key’s own.')
  })
  .meta({ id: 'KeyLimits' })
export type KeyLimits = z.infer<typeof keyLimitsSchema>

/** One limit that applies to a request: of the whole key, or of one of its endpoints. */
export interface LimitScope {
  /** Names the counters: the same for all requests that it counts. */
  readonly name: string
  readonly rates: Rates
}

/** The limits that a request to `endpoint` counts against; none for a key without. */
export function limitsAt(keyId: string, limits: KeyLimits, endpoint: string): LimitScope[] {
  const { endpoints, ...own } = limits
  const special = endpoints !== undefined && Object.hasOwn(endpoints, endpoint) ? endpoints[endpoint] : undefined
  return [
    ...(Object.keys(own).length === 0 ? [] : [{ name: keyId, rates: own }]),
    ...(special === undefined ? [] : [{ name: `${keyId} ${endpoint}`, rates: special }])
  ]
}

/** Points in a window: how the limits are counted. */
export interface Window {
  readonly points: number
  readonly ms: number
}

/** `burst` requests in the time that this many take at the average rate. */
export function requestWindow({ requests_per_second: rate, burst }: Rates): Window | undefined {
  if (rate === undefined) return undefined
  const points = burst ?? Math.max(1, Math.floor(rate))
  return { points, ms: Math.max(1, Math.round((points / rate) * 1000)) }
}

export function tokenWindow({ tokens_per_minute: points }: Rates): Window | undefined {
  return points === undefined ? undefined : { points, ms: 60_000 }
}
