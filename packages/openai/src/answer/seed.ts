import { randomInt } from 'node:crypto'
import { z } from 'zod'

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

/**
 * Any signed integer of 64 bits. One that a number does not hold exactly is its digits: requests are read so, and stored.
 */
export const seedSchema = z
  .union([z.number().refine(Number.isSafeInteger), z.string().refine(isLongSeed)], {
    error: 'a seed is an integer of 64 bits, from -9223372036854775808 to 9223372036854775807'
  })
  .meta({ type: 'integer', format: 'int64' })
export type Seed = z.infer<typeof seedSchema>

function isLongSeed(text: string): boolean {
  if (!/^-?[1-9]\d{15,18}$/.test(text)) return false
  const value = BigInt(text)
  return value >= INT64_MIN && value <= INT64_MAX
}

/** One that nobody knows. */
export function randomSeed(): Seed {
  return randomInt(2 ** 47)
}

/** What stages are told. A negative seed counts down from 2⁶⁴. */
export function seedBits(seed: Seed): bigint {
  return BigInt.asUintN(64, BigInt(seed))
}

/** The seed so many further on; the last of all is followed by the first. */
export function seedAfter(seed: Seed, count: number): Seed {
  const value = BigInt.asIntN(64, BigInt(seed) + BigInt(count))
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
}
