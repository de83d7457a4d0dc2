import { z } from 'zod'

const PLACES_MAX = 100_000

/**
 * Zod's `safeParse`, for values that come from outside.
 *
 * Zod compares the length of a list before it is known to be one, so `{"length": {"toString": 1}}` in place of a list
 * throws a TypeError instead of being an issue (zod 4.6.7). Here it is an issue at its place.
 */
export function safeParse<T extends z.ZodType>(schema: T, input: unknown): z.ZodSafeParseResult<z.output<T>> {
  try {
    return schema.safeParse(input)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    const path = placeOfOddSize(input)
    if (path === undefined) throw error
    const issue = { code: 'custom', path, input: undefined, message: 'is an object whose size is no number' } as const
    return { success: false, error: new z.ZodError([issue]) as z.ZodError<z.output<T>> }
  }
}

/** Where the first object is whose `length` or `size` cannot be compared with a number. */
function placeOfOddSize(input: unknown): PropertyKey[] | undefined {
  const places: { value: unknown; path: PropertyKey[] }[] = [{ value: input, path: [] }]
  for (const { value, path } of places) {
    if (typeof value !== 'object' || value === null) continue
    const { length, size } = value as { length?: unknown; size?: unknown }
    if (!isComparable(length) || !isComparable(size)) return path
    if (places.length > PLACES_MAX) continue
    const keys = Array.isArray(value) ? value.keys() : Object.keys(value)
    for (const key of keys) places.push({ value: (value as Record<PropertyKey, unknown>)[key], path: [...path, key] })
  }
  return undefined
}

function isComparable(value: unknown): boolean {
  try {
    return typeof Number(value) === 'number'
  } catch {
    return false
  }
}
