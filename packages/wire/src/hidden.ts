/**
 * Hidden states as they travel: f32, little endian. Every platform Node runs on is little endian, so no byte is
 * ever swapped.
 */
export function floatsToHidden(floats: Float32Array): Uint8Array {
  return new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength)
}

/**
 * The floats in `hidden`: a view where it starts on a multiple of four, a copy elsewhere. The view shares the frame's
 * memory, which nobody else writes to.
 */
export function hiddenToFloats(hidden: Uint8Array): Float32Array {
  const count = hidden.byteLength / Float32Array.BYTES_PER_ELEMENT
  if (hidden.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0) {
    return new Float32Array(hidden.buffer, hidden.byteOffset, count)
  }
  const floats = new Float32Array(count)
  floatsToHidden(floats).set(hidden)
  return floats
}
