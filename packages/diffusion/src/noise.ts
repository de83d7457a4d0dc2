import { philox } from '@resultity/interface'
import { naturalLog, ofTurns } from './exact-math.ts'

/**
 * What a picture draws noise for, by number. Every use has its own, so that a picture that goes on elsewhere draws what it
 * would have drawn, whatever came before.
 */
export const draws = {
  /** The noise that a picture begins as, or that is added to another. */
  start: 0,
  /** Where in the distribution of its encoder the picture lies that is begun from. */
  source: 1,
  /** The same of that picture with what is to be drawn anew left out. */
  masked: 2,
  /** What is added in a step, counted from 0. */
  step: (step: number): number => FIRST_STEP_DRAW + step,
  /** Before the draws of a prior, which begins as noise and adds some in its steps as a picture does: of the prompt. */
  prior: 4096,
  /** The same of the negative prompt. */
  priorNegative: 8192
} as const

/** The draws before it are kept for other uses. */
const FIRST_STEP_DRAW = 16

/** Normally distributed numbers of one draw: always the same ones for the same draw. */
export type NoiseSource = (draw: number, length: number) => Float32Array

/** Values of one draw; the counter of blocks has 32 bits. */
const DRAW_VALUES_MAX = 2 ** 32

/**
 * The noise of one picture, as docs/diffusion.md specifies it: Philox 4×32-10 with `seed` as its key and (block, draw, picture, 0)
 * as its counter; of each block's four numbers two pairs become four normally distributed ones (Box and Muller, 1958), in
 * float64 and by {@link naturalLog} and {@link ofTurns} alone, rounded to float32 at the end.
 *
 * @param seed at least 0, less than 2⁶⁴
 * @param picture which of the pictures of one request, from 0
 */
export function pictureNoise(seed: bigint, picture: number): NoiseSource {
  const key = [Number(seed & 0xffff_ffffn), Number(seed >> 32n)] as const
  return (draw, length) => {
    if (length > DRAW_VALUES_MAX) throw new RangeError(`a draw of ${length} values`)
    const values = new Float32Array(length)
    const block = new Uint32Array(4)
    for (let at = 0; at < length; at += 4) {
      philox([at / 4, draw, picture, 0], key, block)
      writePair(values, at, block[0] ?? 0, block[1] ?? 0)
      writePair(values, at + 2, block[2] ?? 0, block[3] ?? 0)
    }
    return values
  }
}

/** Two values of two numbers; what lies behind the end of `values` is dropped. */
function writePair(values: Float32Array, at: number, a: number, b: number): void {
  const radius = Math.sqrt(-2 * naturalLog(unit(a)))
  const { cosine, sine } = ofTurns(unit(b))
  values[at] = radius * cosine
  values[at + 1] = radius * sine
}

/** The middle of one of 2³² equal parts between 0 and 1: never 0, never 1, and exact. */
function unit(number: number): number {
  return (number + 0.5) / 0x1_0000_0000
}
