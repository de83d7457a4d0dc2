/** What an entry takes beside its texts, about. */
const ENTRY_BYTES = 128

/** Bytes that a cached value made of JSON takes, about: two a character, and what is around it. */
export function cacheWeight(value: unknown): number {
  return ENTRY_BYTES + 2 * (JSON.stringify(value)?.length ?? 0)
}
