import { philox } from '@resultity/interface'

/** A number in `[0, 1)` with 53 random bits, drawn for (seed, position): a replay on another node draws the same. */
export function uniformAt(seed: bigint, position: number): number {
  const key = [Number(BigInt.asUintN(32, seed)), Number(BigInt.asUintN(32, seed >> 32n))] as const
  const words = new Uint32Array(4)
  philox([position >>> 0, Math.floor(position / 0x1_0000_0000) >>> 0, 0, 0], key, words)
  const [high = 0, low = 0] = words
  return ((high >>> 5) * 0x400_0000 + (low >>> 6)) / 2 ** 53
}
