/**
 * What a coordinator keeps only to be faster, of things whose size clients decide: so many bytes of each, all together no
 * more than their sum, however many keys, models and clients there are. What is used least is forgotten first.
 */
export const CACHE_BYTES = {
  /** Outcomes of constraints that were checked. */
  constraints: 8 * 1024 * 1024,
  /** Keys as the database has them. */
  keys: 16 * 1024 * 1024
} as const

/** What an entry takes beside its texts, about. */
const ENTRY_BYTES = 128

/** What a cached value made of JSON takes, about: two bytes a character, and what is around it. */
export function weightOf(value: unknown): number {
  return ENTRY_BYTES + 2 * (JSON.stringify(value)?.length ?? 0)
}
