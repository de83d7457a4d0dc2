/** The wait doubles with each failure, at most this many times: up to 64 times the first wait. */
const DOUBLINGS_MAX = 6

/**
 * How long what has failed `count` times in a row is left alone, in milliseconds.
 *
 * @param firstMs the wait after the first failure
 */
export function retryWaitMs(firstMs: number, count: number): number {
  return firstMs * 2 ** Math.min(count - 1, DOUBLINGS_MAX)
}
