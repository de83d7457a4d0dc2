/** What a sample of one is as an integer; minus one is one more. */
const FULL_SCALE = 32_768

/**
 * Samples as whole numbers of 16 bits, the lower byte first, as jobs carry them.
 * @param samples f32; beyond -1 and 1 they are cut off
 */
export function encodePcm(samples: Float32Array): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(2 * samples.length))
  for (let at = 0; at < samples.length; at++) {
    const sample = Math.round((samples[at] ?? 0) * FULL_SCALE)
    view.setInt16(2 * at, Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, sample)), true)
  }
  return new Uint8Array(view.buffer)
}

/**
 * The samples that {@link encodePcm} wrote, f32 from -1 to 1.
 * @param bytes two for each sample; an odd one at the end is left out
 */
export function decodePcm(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const samples = new Float32Array(Math.floor(bytes.length / 2))
  for (let at = 0; at < samples.length; at++) samples[at] = view.getInt16(2 * at, true) / FULL_SCALE
  return samples
}
