import { philox } from '@resultity/interface'

/** What draws: each has numbers of its own. */
const parts = { semantic: 0, coarse: 1, fine: 2 } as const

/** Numbers from 0 to 1, the next at each call. */
export type Chance = () => number

/**
 * The chance of one sentence, as docs/speech.md specifies it: Philox 4×32-10 with `seed` as its key and (draw, part, sentence, 1) as
 * its counter, of whose block the first two words make a number of 53 bits.
 *
 * @param seed at least 0, less than 2⁶⁴
 */
export function chanceOf(seed: bigint, sentence: number, part: keyof typeof parts): Chance {
  const key = [Number(seed & 0xffff_ffffn), Number(seed >> 32n)] as const
  const block = new Uint32Array(4)
  let draw = 0
  return () => {
    philox([draw, parts[part], sentence, 1], key, block)
    draw += 1
    return ((block[0] ?? 0) * 2 ** 21 + ((block[1] ?? 0) >>> 11)) / 2 ** 53
  }
}
