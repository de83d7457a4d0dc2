import type { z } from 'zod'

/** More than so many reasons are as good as so many. */
const ISSUES_MAX = 8
/** Longest piece of the value that is repeated. */
const VALUE_CHARS_MAX = 60

/** What a schema has against `value`: each field by its path, and what stands there. */
export function describeIssues(error: z.ZodError, value: unknown): string {
  const issues = error.issues.slice(0, ISSUES_MAX).map(({ path, message }) => {
    const field = path.map((part, index) =>
      typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${String(part)}`
    )
    const found = shorten(path.reduce(memberOf, value))
    return path.length === 0 ? message : `"${field.join('')}" is ${found}: ${message}`
  })
  const more = error.issues.length - issues.length
  return more > 0 ? `${issues.join('; ')}; and ${more} more` : issues.join('; ')
}

function memberOf(value: unknown, part: PropertyKey): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
  return Reflect.get(value, part)
}

function shorten(value: unknown): string {
  if (value === undefined) return 'missing'
  if (typeof value === 'bigint' || typeof value === 'number') return String(value)
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  const text = JSON.stringify(value) ?? typeof value
  return text.length > VALUE_CHARS_MAX ? `${text.slice(0, VALUE_CHARS_MAX)}…` : text
}
