import fc from 'fast-check'

/** How big a case may be. Cases begin small, so that what breaks is found in a small form first. */
export interface Scale {
  /** Levels of nesting. */
  readonly depth: number
  /** Entries of a list, members of an object. */
  readonly width: number
  /** Length of a text. */
  readonly characters: number
}

export const SCALES: readonly [Scale, ...Scale[]] = [
  { depth: 3, width: 4, characters: 120 },
  { depth: 8, width: 24, characters: 4_500 },
  { depth: 20, width: 300, characters: 60_000 },
  { depth: 60, width: 3_000, characters: 800_000 }
]

/** Cases after which the next scale is drawn from as well. */
const GROWN_AFTER: readonly number[] = [0, 40, 120, 240]

/** Index into {@link SCALES} of the biggest scale that case number `index` may have. */
export function grownTo(index: number): number {
  return GROWN_AFTER.filter(after => index >= after).length - 1
}

/** A number up to `max` that is often at one of its bounds. */
export function upTo(max: number): fc.Arbitrary<number> {
  return fc.oneof(fc.constantFrom(0, 1, max), fc.nat(max))
}

/** As {@link upTo}, but not 0. */
export function someOf(max: number): fc.Arbitrary<number> {
  return fc.oneof(fc.constantFrom(1, max), fc.integer({ min: 1, max: Math.max(1, max) }))
}

/** What passes the first check, and now and then what does not: a case with nothing right in it gets nowhere. */
export function mostly<T, U>(right: fc.Arbitrary<T>, wrong: fc.Arbitrary<U>): fc.Arbitrary<T | U> {
  return fc.oneof({ weight: 15, arbitrary: right }, { weight: 1, arbitrary: wrong })
}
