/**
 * Philox 4×32-10 (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11): a counter-based
 * generator. The n-th number needs no state but its key and n, so a replay on another node draws the same.
 */
const MULTIPLIER_0 = 0xd251_1f53
const MULTIPLIER_1 = 0xcd9e_8d57
/** Golden ratio and square root of three less one: the key's steps between rounds. */
const WEYL_0 = 0x9e37_79b9
const WEYL_1 = 0xbb67_ae85
const ROUNDS = 10

export type Words4 = readonly [number, number, number, number]

/** Encrypts `counter` under `key`; all words are unsigned 32-bit integers. */
export function philox(counter: Words4, key: readonly [number, number]): Words4 {
  let [c0, c1, c2, c3] = counter
  let [k0, k1] = key
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0)
    const low0 = Math.imul(MULTIPLIER_0, c0)
    const high1 = multiplyHigh(MULTIPLIER_1, c2)
    const low1 = Math.imul(MULTIPLIER_1, c2)
    c0 = (high1 ^ c1 ^ k0) >>> 0
    c1 = low1 >>> 0
    c2 = (high0 ^ c3 ^ k1) >>> 0
    c3 = low0 >>> 0
    k0 = (k0 + WEYL_0) >>> 0
    k1 = (k1 + WEYL_1) >>> 0
  }
  return [c0, c1, c2, c3]
}

/** The upper 32 bits of the 64-bit product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  // every intermediate stays below 2^53, so none is rounded
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const middleLow = aLow * bHigh + (middle % 0x1_0000)
  return (aHigh * bHigh + Math.floor(middle / 0x1_0000) + Math.floor(middleLow / 0x1_0000)) >>> 0
}

/** A number in `[0, 1)` with 53 random bits, drawn for (seed, position). */
export function uniformAt(seed: bigint, position: number): number {
  const key = [Number(BigInt.asUintN(32, seed)), Number(BigInt.asUintN(32, seed >> 32n))] as const
  const [high, low] = philox([position >>> 0, Math.floor(position / 0x1_0000_0000) >>> 0, 0, 0], key)
  return ((high >>> 5) * 0x400_0000 + (low >>> 6)) / 2 ** 53
}
