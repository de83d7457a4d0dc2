/** Most bytes reserved ahead of those received. */
const AHEAD_BYTES_MAX = 8 * 1024 * 1024

/**
 * A stream whose bytes are reserved before they are passed on. Each reservation is as large as all bytes so far, so
 * that a long stream asks rarely and a short one takes little more than it needs.
 *
 * @param ahead bytes that are reserved already
 * @param reserve throws when there is no room for the bytes it is called with
 */
export async function* reservedAhead(
  chunks: AsyncIterable<Uint8Array>,
  ahead: number,
  reserve: (bytes: number) => Promise<void>
): AsyncGenerator<Uint8Array> {
  let came = 0
  let reserved = ahead
  for await (const chunk of chunks) {
    came += chunk.byteLength
    const missing = came - reserved
    if (missing > 0) reserved += await reserveSome(missing, Math.max(missing, Math.min(came, AHEAD_BYTES_MAX)), reserve)
    yield chunk
  }
}

/** Reserves the wished amount or, near the limit, the needed one. */
async function reserveSome(needed: number, wished: number, reserve: (bytes: number) => Promise<void>): Promise<number> {
  if (wished > needed) {
    try {
      await reserve(wished)
      return wished
    } catch {
      // the smaller one says why it does not fit
    }
  }
  await reserve(needed)
  return needed
}
