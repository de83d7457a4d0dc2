/** A member `seed` with more digits than a number keeps, as JSON writes it. A quote within a text has a backslash before it. */
const LONG_SEED = /(?<!\\)("seed"\s*:\s*)(-?\d{16,19})(?=\s*[,}])/g

/** An object that may be a request's body. */
type Holder = Record<string, unknown>

/**
 * Reads the JSON of a request, as `JSON.parse` does, but for a `seed` that is an integer no number holds exactly: it is given
 * as text. Such are the seeds of requests themselves, of a batch line's `body` and of those in `requests`; others stay numbers.
 * A member `__proto__` is one like any other.
 *
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text)
  const holders = seedHolders(value)
  if (!holders.some(({ seed }) => typeof seed === 'number' && !Number.isSafeInteger(seed))) return value
  // read once more instead of by a reviver, which takes seconds for the longest bodies
  const quoted = seedHolders(JSON.parse(text.replaceAll(LONG_SEED, '$1"$2"')))
  for (const [index, holder] of holders.entries()) {
    const seed = quoted[index]?.seed
    if (typeof holder.seed === 'number' && !Number.isSafeInteger(holder.seed) && typeof seed === 'string')
      holder.seed = seed
  }
  return value
}

function seedHolders(value: unknown): Holder[] {
  if (!isHolder(value)) return []
  const requests = Array.isArray(value.requests) ? value.requests.filter(isHolder) : []
  return [value, ...[value, ...requests].map(({ body }) => body).filter(isHolder)]
}

function isHolder(value: unknown): value is Holder {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
