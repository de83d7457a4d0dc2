/**
 * Functions of nothing but + − × ÷ and √, which IEEE 754 rounds correctly. The ones of `Math` may differ in their last bit
 * between versions of a runtime and between machines; with these, tables and noise are the same bits wherever a picture is drawn.
 * Each is within four units in the last place of the true value, or of 1 where it is a sine or cosine.
 */

const LN2 = Math.LN2
/** Its upper 33 bits, of which multiples are exact, and the rest. */
const LN2_HIGH = 0.6931471803691238
const LN2_LOW = 1.9082149292705877e-10
const SQRT_HALF = Math.SQRT1_2
const TAU = 2 * Math.PI

/** `s + s³/3 + s⁵/5 + …` ends here: |s| ≤ 3 − √8, and the next term is below 1e-17 of the first. */
const LOG_TERMS = 11

/** Natural logarithm of a positive, finite, normal number. */
export function naturalLog(value: number): number {
  let mantissa = value
  let exponent = 0
  for (; mantissa < SQRT_HALF; exponent--) mantissa *= 2
  for (; mantissa >= 2 * SQRT_HALF; exponent++) mantissa /= 2
  const s = (mantissa - 1) / (mantissa + 1)
  const square = s * s
  let sum = 0
  for (let term = LOG_TERMS - 1; term >= 0; term--) sum = sum * square + 1 / (2 * term + 1)
  return exponent * LN2 + 2 * s * sum
}

/** `e` to a power between -700 and 700. */
export function exponential(power: number): number {
  const doublings = Math.round(power / LN2)
  const rest = power - doublings * LN2_HIGH - doublings * LN2_LOW
  // |rest| ≤ ln 2 / 2, and the next term is below 1e-18
  let sum = 1
  for (let term = 16; term >= 1; term--) sum = 1 + (sum * rest) / term
  for (let n = 0; n < doublings; n++) sum *= 2
  for (let n = 0; n > doublings; n--) sum /= 2
  return sum
}

/** Cosine and sine of `turns` full turns, at least 0 and less than 1. */
export function ofTurns(turns: number): { readonly cosine: number; readonly sine: number } {
  const quarter = Math.floor(turns * 4 + 0.5)
  const angle = (turns - quarter / 4) * TAU
  const square = angle * angle
  // |angle| ≤ π/4, and the next terms are below 1e-18
  let cosine = 1
  let sine = 1
  for (let term = 18; term >= 2; term -= 2) {
    cosine = 1 - (cosine * square) / (term * (term - 1))
    sine = 1 - (sine * square) / (term * (term + 1))
  }
  sine *= angle
  switch (quarter % 4) {
    case 0:
      return { cosine, sine }
    case 1:
      return { cosine: -sine, sine: cosine }
    case 2:
      return { cosine: -cosine, sine: -sine }
    default:
      return { cosine: sine, sine: -cosine }
  }
}

/** The positive seventh root of a positive number, by Newton's method. */
export function seventhRoot(value: number): number {
  let root = exponential(naturalLog(value) / 7)
  for (let round = 0; round < 2; round++) root -= (root - value / sixthPower(root)) / 7
  return root
}

export function seventhPower(value: number): number {
  return sixthPower(value) * value
}

function sixthPower(value: number): number {
  const cube = value * value * value
  return cube * cube
}
