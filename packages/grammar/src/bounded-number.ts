import { commonMultiple, type Decimal, decimalOf, leastMultiple, rescaled } from './decimal.ts'

/**
 * Decimal digits that a double keeps apart: two numbers written with no more are never read as the same, so what
 * holds for the digits holds for the number that a reader gets.
 */
const DIGITS_MAX = 15

const LITERAL = /^(-?)(0|[1-9][0-9]*)?(\.[0-9]*)?$/

export interface NumberLimits {
  readonly integer: boolean
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly maximum?: number
  readonly exclusiveMaximum?: number
  /** Positive; the number is a multiple of each. */
  readonly multiplesOf?: readonly number[]
  /** Numbers that it is not. */
  readonly excluded?: readonly number[]
}

/**
 * Decides digit by digit whether a JSON number can still become one within bounds. Numbers are written without
 * exponents and with at most {@link DIGITS_MAX} digits.
 */
export class BoundedNumber {
  readonly key: string
  readonly #integer: boolean
  readonly #step: Decimal | undefined
  readonly #excluded: readonly Decimal[]
  readonly #lowest: Decimal | undefined
  readonly #lowestExcluded: boolean
  readonly #highest: Decimal | undefined
  readonly #highestExcluded: boolean

  constructor(limits: NumberLimits) {
    this.key = JSON.stringify(limits)
    this.#integer = limits.integer
    const steps = limits.multiplesOf ?? []
    this.#step = steps.map(decimalOf).reduce<Decimal | undefined>(commonMultiple, undefined)
    this.#excluded = [...new Set(limits.excluded)].map(decimalOf)
    const { minimum, exclusiveMinimum, maximum, exclusiveMaximum } = limits
    this.#lowestExcluded = (exclusiveMinimum ?? Number.NEGATIVE_INFINITY) >= (minimum ?? Number.NEGATIVE_INFINITY)
    this.#highestExcluded = (exclusiveMaximum ?? Number.POSITIVE_INFINITY) <= (maximum ?? Number.POSITIVE_INFINITY)
    const [lowest, highest] = [
      this.#lowestExcluded ? exclusiveMinimum : minimum,
      this.#highestExcluded ? exclusiveMaximum : maximum
    ]
    this.#lowest = lowest === undefined ? undefined : decimalOf(lowest)
    this.#highest = highest === undefined ? undefined : decimalOf(highest)
  }

  /** Whether some number within the bounds begins with `written`. */
  mayBegin(written: string): boolean {
    const [, sign, whole, fraction] = LITERAL.exec(written) ?? []
    if (sign === undefined) return false
    if (whole === undefined) {
      if (fraction !== undefined) return false
      return sign === '-' ? this.#anyWithin(true) : this.#anyWithin(false) || this.#anyWithin(true)
    }
    const negative = sign === '-'
    if (fraction !== undefined) return this.#fractionWithin(negative, whole, fraction.slice(1))
    if (this.#within(negative, whole, '', whole.length)) return true
    // further digits of the whole part, each a wider interval
    const lengthMax = whole === '0' ? whole.length : DIGITS_MAX
    for (let length = whole.length + 1; length <= lengthMax; length++) {
      if (this.#within(negative, whole, '', length)) return true
    }
    return false
  }

  /** Whether `written` is a whole number within the bounds. */
  mayEnd(written: string): boolean {
    const [, sign, whole, fraction] = LITERAL.exec(written) ?? []
    if (sign === undefined || whole === undefined || fraction === '.') return false
    const digits = fraction?.slice(1) ?? ''
    if ((this.#integer && fraction !== undefined) || whole.length + digits.length > DIGITS_MAX) return false
    const magnitude = BigInt(whole + digits)
    return this.#anyMultiple(sign === '-', { low: magnitude, high: magnitude, scale: digits.length })
  }

  #anyWithin(negative: boolean): boolean {
    const high = 10n ** BigInt(DIGITS_MAX) - 1n
    if (this.#anyMultiple(negative, { low: 0n, high, scale: 0 })) return true
    if (this.#integer) return false
    // between two whole numbers
    for (let whole = 1; whole < DIGITS_MAX; whole++) {
      const least = whole === 1 ? 0n : 10n ** BigInt(DIGITS_MAX - 1)
      if (this.#anyMultiple(negative, { low: least, high, scale: DIGITS_MAX - whole })) return true
    }
    return false
  }

  #fractionWithin(negative: boolean, whole: string, digits: string): boolean {
    if (this.#integer || whole.length + digits.length > DIGITS_MAX) return false
    // a point needs a digit behind it
    if (digits === '' && whole.length >= DIGITS_MAX) return false
    return this.#within(negative, whole, digits, whole.length)
  }

  /** Whether a number within the bounds begins with these digits, its whole part having `wholeLength` of them. */
  #within(negative: boolean, whole: string, digits: string, wholeLength: number): boolean {
    if (wholeLength > DIGITS_MAX) return false
    const scale = this.#integer ? 0 : DIGITS_MAX - wholeLength
    const open = wholeLength - whole.length + scale - digits.length
    if (open < 0) return false
    const unit = 10n ** BigInt(open)
    const low = BigInt(whole + digits) * unit
    return this.#anyMultiple(negative, { low, high: low + unit - 1n, scale })
  }

  /** Whether a number of the interval, in steps of its last digit, is within the bounds. */
  #anyMultiple(negative: boolean, { low, high, scale }: { low: bigint; high: bigint; scale: number }): boolean {
    const finest = this.#excluded.reduce(
      (most, excluded) => Math.max(most, excluded.scale),
      Math.max(scale, this.#lowest?.scale ?? 0, this.#highest?.scale ?? 0, this.#step?.scale ?? 0)
    )
    const grid = 10n ** BigInt(finest - scale)
    const step = this.#step === undefined ? grid : leastMultiple(rescaled(this.#step, finest), grid)
    let from = negative ? -high * grid : low * grid
    let to = negative ? -low * grid : high * grid
    if (this.#lowest !== undefined) {
      const bound = rescaled(this.#lowest, finest) + (this.#lowestExcluded ? 1n : 0n)
      if (bound > from) from = bound
    }
    if (this.#highest !== undefined) {
      const bound = rescaled(this.#highest, finest) - (this.#highestExcluded ? 1n : 0n)
      if (bound < to) to = bound
    }
    const first = ceilTo(from, step)
    if (first > to) return false
    if (this.#excluded.length === 0) return true
    const hits = this.#excluded.filter(excluded => {
      const value = rescaled(excluded, finest)
      return value >= first && value <= to && (value - first) % step === 0n
    })
    return (to - first) / step + 1n > BigInt(hits.length)
  }
}

function ceilTo(value: bigint, step: bigint): bigint {
  const rest = ((value % step) + step) % step
  return rest === 0n ? value : value + step - rest
}
