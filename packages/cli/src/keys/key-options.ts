import { MeshError } from '@resultity/interface'
import type { NewKey } from '../api/answers.ts'

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** Seconds of `90s`, `15m`, `12h` or `30d`. @throws MeshError `settings_invalid` naming `flag` */
export function parseDuration(text: string, flag: string): number {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  const seconds = Number(count) * (UNITS[unit ?? ''] ?? Number.NaN)
  if (Number.isSafeInteger(seconds) && seconds > 0) return seconds
  throw wrong(flag, `expected a time such as 15m, 12h or 30d, got "${text}"`)
}

/**
 * What `keys create` was told, as the admin API takes it.
 * @throws MeshError `settings_invalid` naming the option
 */
export function toNewKey(options: Readonly<Record<string, unknown>>, nowMs: number): NewKey {
  const { name, namespace, expires } = options
  const scopes = scopesOf(options)
  const limits = limitsOf(options)
  const { subclouds } = options
  return {
    ...(typeof name === 'string' ? { name } : {}),
    ...(typeof namespace === 'string' ? { namespace } : {}),
    ...(scopes.length === 0 ? {} : { scopes }),
    ...(limits === undefined ? {} : { limits }),
    ...(typeof subclouds === 'string' ? { subclouds: subclouds.split(',').filter(one => one !== '') } : {}),
    ...(typeof expires === 'string' ? { expires_at: expiryOf(expires, nowMs) } : {})
  }
}

function scopesOf({ admin, scope }: Readonly<Record<string, unknown>>): string[] {
  const named = typeof scope === 'string' ? scope.split(',').filter(one => one !== '') : []
  return admin === true ? [...named, 'admin'] : named
}

function limitsOf(options: Readonly<Record<string, unknown>>): Record<string, unknown> | undefined {
  const limits = {
    ...(typeof options.limits === 'string' ? parseLimits(options.limits) : {}),
    ...numberOf('requests_per_second', options.requestsPerSecond, '--requests-per-second'),
    ...numberOf('burst', options.burst, '--burst'),
    ...numberOf('tokens_per_minute', options.tokensPerMinute, '--tokens-per-minute'),
    ...numberOf('concurrent_jobs', options.concurrentJobs, '--concurrent-jobs')
  }
  return Object.keys(limits).length === 0 ? undefined : limits
}

function numberOf(field: string, text: unknown, flag: string): Record<string, number> {
  if (text === undefined) return {}
  const value = Number(text)
  if (text !== '' && Number.isFinite(value) && value > 0) return { [field]: value }
  throw wrong(flag, `expected a number above 0, got "${text}"`)
}

function parseLimits(text: string): object {
  try {
    const limits: unknown = JSON.parse(text)
    if (typeof limits === 'object' && limits !== null && !Array.isArray(limits)) return limits
  } catch {
    // the same complaint as for JSON that is no object
  }
  throw wrong('--limits', 'expected a JSON object')
}

/** A date, or a time from now. */
function expiryOf(text: string, nowMs: number): number {
  const date = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(date)) return Math.floor(date / 1000)
  return Math.floor(nowMs / 1000) + parseDuration(text, '--expires')
}

function wrong(flag: string, message: string): MeshError {
  return new MeshError('settings_invalid', `${flag}: ${message}`, { hint: 'Add --help for what is possible.' })
}
