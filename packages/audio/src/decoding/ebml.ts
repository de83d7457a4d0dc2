/** A Matroska element (RFC 8794). */
export interface EbmlElement {
  readonly id: number
  readonly start: number
  /** At most the end of what it lies in. */
  readonly end: number
  /** As it says; undefined where it does not. */
  readonly size: number | undefined
}

/**
 * The elements from `start` to `end`, one after the other; what is no element ends them. A live recording does not know
 * the sizes of its parts: what is in such a part follows it.
 */
export function* elementsOf(bytes: Uint8Array, start: number, end: number): Generator<EbmlElement> {
  for (let at = start; at < end; ) {
    const element = elementAt(bytes, at, end)
    if (element === undefined) return
    yield element
    at = element.size === undefined ? element.start : element.end
  }
}

/** An id and a size, of as many bytes as their leading zeros say. */
function elementAt(bytes: Uint8Array, at: number, endMax: number): EbmlElement | undefined {
  const idBytes = Math.clz32(bytes[at] ?? 0) - 23
  const sizeAt = at + idBytes
  const sizeBytes = Math.clz32(bytes[sizeAt] ?? 0) - 23
  const start = sizeAt + sizeBytes
  if (idBytes > 4 || sizeBytes > 8 || start > endMax) return undefined
  const id = unsigned(bytes.subarray(at, sizeAt))
  const size = sizedNumber(bytes, sizeAt)
  // all ones, or more than any file has
  if (size === 2 ** (7 * sizeBytes) - 1 || size >= 2 ** 53) return { id, start, end: endMax, size: undefined }
  return { id, start, end: Math.min(endMax, start + size), size }
}

/** A number that tells its own length by the leading zeros of its first byte: as many bytes as these, and one. */
export function sizedNumber(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0
  const length = Math.clz32(first) - 23
  // without the bit that ends the zeros: with it, eight bytes are too many for a double
  const lead = first & (2 ** Math.max(0, 8 - length) - 1)
  return bytes.subarray(at + 1, at + length).reduce((value, byte) => value * 256 + byte, lead)
}

/** A whole number, the highest byte first; beyond 2⁵³ it is not exact. */
export function unsigned(bytes: Uint8Array): number {
  return bytes.reduce((value, byte) => value * 256 + byte, 0)
}
