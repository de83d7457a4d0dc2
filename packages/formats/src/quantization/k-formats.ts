import type { BlockFormat } from './block-format.ts'
import { halfAt } from './float16.ts'

/** Weights of a super-block, in all K formats. */
const SUPER = 256
const SUB = 32

/** Six-bit scale of sub-block `index` of Q4_K and Q5_K, from 12 packed bytes (`get_scale_min_k4`). */
function sixBitScale(bytes: Uint8Array, from: number, index: number): number {
  if (index < 4) return (bytes[from + index] ?? 0) & 63
  return ((bytes[from + index + 4] ?? 0) & 0x0f) | (((bytes[from + index - 4] ?? 0) >> 6) << 4)
}

/** Six-bit minimum of sub-block `index`, from the same 12 bytes. */
function sixBitMinimum(bytes: Uint8Array, from: number, index: number): number {
  if (index < 4) return (bytes[from + index + 4] ?? 0) & 63
  return ((bytes[from + index + 4] ?? 0) >> 4) | (((bytes[from + index] ?? 0) >> 6) << 4)
}

/** `d·s·q − dmin·m` is `d·s·(q − middle) + (middle·d·s − dmin·m)`. */
function scaleAndMinimum(middle: number): BlockFormat['scale'] {
  return (source, from, scales, corrections, to) => {
    const d = halfAt(source, from)
    const dmin = halfAt(source, from + 2)
    for (let sub = 0; sub < SUPER / SUB; sub += 1) {
      const scale = d * sixBitScale(source, from + 4, sub)
      scales[to + sub] = scale
      corrections[to + sub] = middle * scale - dmin * sixBitMinimum(source, from + 4, sub)
    }
  }
}

/** d, dmin: f16, 12 bytes of scales and minima, 128 bytes: two sub-blocks share 32 bytes, low nibbles first. */
export const q4_K: BlockFormat = {
  sourceWeights: SUPER,
  sourceBytes: 144,
  bits: 4,
  blockSize: SUB,
  corrected: true,
  pack(source, from, target, to) {
    for (let byte = 0; byte < SUPER / 2; byte += 2) {
      const even = source[from + 16 + byte] ?? 0
      const odd = source[from + 16 + byte + 1] ?? 0
      const low = to + Math.floor(byte / SUB) * SUB + (byte % SUB) / 2
      target[low] = (even & 0x0f) | ((odd & 0x0f) << 4)
      target[low + SUB / 2] = (even >> 4) | (odd & 0xf0)
    }
  },
  scale: scaleAndMinimum(8)
}

/** As Q4_K with 32 bytes of fifth bits before the nibbles: bit `sub` of byte `j` is element j of sub-block `sub`. */
export const q5_K: BlockFormat = {
  sourceWeights: SUPER,
  sourceBytes: 176,
  bits: 8,
  blockSize: SUB,
  corrected: true,
  pack(source, from, target, to) {
    for (let element = 0; element < SUPER; element += 1) {
      const sub = Math.floor(element / SUB)
      const byte = source[from + 48 + (sub >> 1) * SUB + (element % SUB)] ?? 0
      const nibble = sub % 2 === 0 ? byte & 0x0f : byte >> 4
      const fifth = ((source[from + 16 + (element % SUB)] ?? 0) >> sub) & 1
      target[to + element] = (nibble | (fifth << 4)) + 112
    }
  },
  scale: scaleAndMinimum(16)
}

/** 128 bytes of low nibbles, 64 of high bit pairs, 16 signed scales, d: f16; value `d·s·(q − 32)`, one s per 16. */
export const q6_K: BlockFormat = {
  sourceWeights: SUPER,
  sourceBytes: 210,
  bits: 8,
  blockSize: 16,
  corrected: false,
  pack(source, from, target, to) {
    for (let element = 0; element < SUPER; element += 1) {
      // each half of 128 is four runs of 32: two share the nibbles of 64 bytes, all four the pairs of 32 bytes
      const half = element >> 7
      const run = (element >> 5) & 3
      const column = element & 31
      const low = source[from + half * 64 + (run & 1) * 32 + column] ?? 0
      const nibble = run < 2 ? low & 0x0f : low >> 4
      const pair = ((source[from + 128 + half * 32 + column] ?? 0) >> (2 * run)) & 3
      target[to + element] = (nibble | (pair << 4)) + 96
    }
  },
  scale(source, from, scales, _none, to) {
    const d = halfAt(source, from + 208)
    for (let sub = 0; sub < 16; sub += 1) {
      const byte = source[from + 192 + sub] ?? 0
      scales[to + sub] = d * (byte < 128 ? byte : byte - 256)
    }
  }
}
