import type { BlockFormat } from './block-format.ts'

const WEIGHTS = 32
const HALF = WEIGHTS / 2

/**
 * Twice the 4-bit floats (OCP Microscaling Formats, version 1.0, section 5.3.3): whole numbers, of which the last eight are
 * negative. The 4 bits of our integers do not hold them, 8 do.
 */
const DOUBLED = Int8Array.of(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12)

/** What stands for 0 in our 8 bits. */
const ZERO = 128

/** Of the exponent of half the scale, which makes up for {@link DOUBLED}. */
const BIAS = 128

/** An exponent, then 16 bytes of nibbles as in Q4_0; value `2^(exponent − 127) · float`. */
export const mxfp4: BlockFormat = {
  sourceWeights: WEIGHTS,
  sourceBytes: 1 + HALF,
  bits: 8,
  blockSize: WEIGHTS,
  corrected: false,
  pack(source, from, target, to) {
    for (let element = 0; element < HALF; element += 1) {
      const byte = source[from + 1 + element] ?? 0
      target[to + element] = ZERO + (DOUBLED[byte & 0x0f] ?? 0)
      target[to + HALF + element] = ZERO + (DOUBLED[byte >> 4] ?? 0)
    }
  },
  scale(source, from, scales, _none, to) {
    scales[to] = 2 ** ((source[from] ?? 0) - BIAS)
  }
}
