/** Multipliers and key steps of Philox 4×32: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
const MULTIPLIER_0 = 0xd2511f53
const MULTIPLIER_1 = 0xcd9e8d57
const KEY_STEP_0 = 0x9e3779b9
const KEY_STEP_1 = 0xbb67ae85
const ROUNDS = 10

/**
 * One block of Philox 4×32-10: four numbers that depend on nothing but the counter and the key.
 *
 * @param counter four unsigned numbers of 32 bits
 * @param key two
 * @param out gets four
 */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
  out: Uint32Array
): void {
  let [c0, c1, c2, c3] = counter
  let [k0, k1] = key
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = highProduct(MULTIPLIER_0, c0)
    const low0 = Math.imul(MULTIPLIER_0, c0)
    const high1 = highProduct(MULTIPLIER_1, c2)
    const low1 = Math.imul(MULTIPLIER_1, c2)
    c0 = (high1 ^ c1 ^ k0) >>> 0
    c1 = low1 >>> 0
    c2 = (high0 ^ c3 ^ k1) >>> 0
    c3 = low0 >>> 0
    k0 = (k0 + KEY_STEP_0) >>> 0
    k1 = (k1 + KEY_STEP_1) >>> 0
  }
  out[0] = c0
  out[1] = c1
  out[2] = c2
  out[3] = c3
}

/** The upper 32 bits of a product of two unsigned numbers of 32 bits; no step of it passes 2⁵³. */
function highProduct(a: number, b: number): number {
  const low = a & 0xffff
  const high = a >>> 16
  const lower = low * b
  const upper = high * b + Math.floor(lower / 0x1_0000)
  return Math.floor(upper / 0x1_0000)
}
