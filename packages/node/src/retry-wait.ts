/** Between attempts at a membership that fail one after the other. */
const RETRY_MS_MIN = 250
const RETRY_MS_MAX = 10_000
const RETRY_FACTOR = 1.6

/** Longer each time, and another for each node, so that those that lost one coordinator do not come back as one. */
export function retryMs(attempt: number, random: number): number {
  return Math.min(RETRY_MS_MAX, RETRY_MS_MIN * (1 + random) * RETRY_FACTOR ** (attempt - 1))
}
