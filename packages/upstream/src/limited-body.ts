import { MeshError } from '@resultity/interface'

/**
 * A whole body, as long as it is not too long.
 * @throws MeshError `upstream_failed`
 */
export async function wholeBody(body: AsyncIterable<Uint8Array> | null, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of limited(body, bytesMax)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/**
 * A body as it comes, as long as it is not too long.
 * @throws MeshError `upstream_failed`
 */
export async function* limited(
  body: AsyncIterable<Uint8Array> | null,
  bytesMax: number
): AsyncGenerator<Uint8Array, void> {
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new MeshError('upstream_failed', `its answer is longer than ${bytesMax} bytes`)
    yield chunk
  }
}
