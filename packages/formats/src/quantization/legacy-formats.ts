import type { BlockFormat } from './block-format.ts'
import { halfAt } from './float16.ts'

const WEIGHTS = 32
const HALF = WEIGHTS / 2

/** ggml keeps element j in the low and j + 16 in the high nibble of byte j; ours keeps neighbours together. */
function packNibbles(source: Uint8Array, from: number, target: Uint8Array, to: number): void {
  for (let pair = 0; pair < HALF / 2; pair += 1) {
    const even = source[from + 2 * pair] ?? 0
    const odd = source[from + 2 * pair + 1] ?? 0
    target[to + pair] = (even & 0x0f) | ((odd & 0x0f) << 4)
    target[to + HALF / 2 + pair] = (even >> 4) | (odd & 0xf0)
  }
}

/** Five-bit values: the low four as in `packNibbles`, the fifth of element j in bit j of a 32-bit word. */
function packFiveBits(source: Uint8Array, high: number, low: number, target: Uint8Array, to: number): void {
  for (let element = 0; element < WEIGHTS; element += 1) {
    const byte = source[low + (element % HALF)] ?? 0
    const nibble = element < HALF ? byte & 0x0f : byte >> 4
    const fifth = ((source[high + (element >> 3)] ?? 0) >> (element & 7)) & 1
    // 128 is our zero and 16 the middle of five bits
    target[to + element] = (nibble | (fifth << 4)) + 112
  }
}

function scaleOnly(source: Uint8Array, from: number, scales: Float32Array, _none: Float32Array, to: number): void {
  scales[to] = halfAt(source, from)
}

/** `d·q + m` is `d·(q − middle) + (m + middle·d)`. */
function scaleAndMinimum(middle: number): BlockFormat['scale'] {
  return (source, from, scales, corrections, to) => {
    const scale = halfAt(source, from)
    const minimum = halfAt(source, from + 2)
    scales[to] = scale
    corrections[to] = minimum + middle * scale
  }
}

/** d: f16, then 16 bytes of nibbles; value `d·(q − 8)`. */
export const q4_0: BlockFormat = {
  sourceWeights: WEIGHTS,
  sourceBytes: 18,
  bits: 4,
  blockSize: WEIGHTS,
  corrected: false,
  pack: (source, from, target, to) => packNibbles(source, from + 2, target, to),
  scale: scaleOnly
}

/** d, m: f16, then 16 bytes of nibbles; value `d·q + m`. */
export const q4_1: BlockFormat = {
  sourceWeights: WEIGHTS,
  sourceBytes: 20,
  bits: 4,
  blockSize: WEIGHTS,
  corrected: true,
  pack: (source, from, target, to) => packNibbles(source, from + 4, target, to),
  scale: scaleAndMinimum(8)
}

/** d: f16, 32 fifth bits, 16 bytes of nibbles; value `d·(q − 16)`. */
export const q5_0: BlockFormat = {
  sourceWeights: WEIGHTS,
  sourceBytes: 22,
  bits: 8,
  blockSize: WEIGHTS,
  corrected: false,
  pack: (source, from, target, to) => packFiveBits(source, from + 2, from + 6, target, to),
  scale: scaleOnly
}

/** d, m: f16, 32 fifth bits, 16 bytes of nibbles; value `d·q + m`. */
export const q5_1: BlockFormat = {
  sourceWeights: WEIGHTS,
  sourceBytes: 24,
  bits: 8,
  blockSize: WEIGHTS,
  corrected: true,
  pack: (source, from, target, to) => packFiveBits(source, from + 4, from + 8, target, to),
  scale: scaleAndMinimum(16)
}

/** d: f16, then 32 signed bytes; value `d·q`. */
export const q8_0: BlockFormat = {
  sourceWeights: WEIGHTS,
  sourceBytes: 34,
  bits: 8,
  blockSize: WEIGHTS,
  corrected: false,
  pack(source, from, target, to) {
    // flipping the sign bit adds 128 to a two's complement byte
    for (let element = 0; element < WEIGHTS; element += 1) {
      target[to + element] = (source[from + 2 + element] ?? 0) ^ 0x80
    }
  },
  scale: scaleOnly
}
