import type { Expression, Expressions } from './expression.ts'

/** Code points, `[first, last]` both included, ascending and apart. */
export type CodePoints = readonly (readonly [number, number])[]

export const CODE_POINT_MAX = 0x10_ffff
const SURROGATES = [0xd800, 0xdfff] as const
/** The last code points that UTF-8 writes in one to four bytes. */
const LENGTH_ENDS = [0x7f, 0x7ff, 0xffff, CODE_POINT_MAX] as const

/** Everything that is a character. */
export const ANY_CHARACTER: CodePoints = without([[0, CODE_POINT_MAX]], [SURROGATES])

/** Sorted, and joined where they touch. */
export function normalized(ranges: CodePoints): CodePoints {
  if (ranges.every(([first], index) => index === 0 || first > (ranges[index - 1]?.[1] ?? 0) + 1)) return ranges
  const joined: [number, number][] = []
  for (const [first, last] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const before = joined.at(-1)
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last)
    else joined.push([first, last])
  }
  return joined
}

/** What is in `ranges` and not in `holes`. */
export function without(ranges: CodePoints, holes: CodePoints): CodePoints {
  return common(ranges, complement(holes))
}

/** What is in both. */
export function common(ranges: CodePoints, others: CodePoints): CodePoints {
  const [ones, twos] = [normalized(ranges), normalized(others)]
  const shared: (readonly [number, number])[] = []
  for (let one = 0, two = 0; one < ones.length && two < twos.length; ) {
    const [first, last] = ones[one] ?? [0, 0]
    const [otherFirst, otherLast] = twos[two] ?? [0, 0]
    if (Math.max(first, otherFirst) <= Math.min(last, otherLast)) {
      shared.push([Math.max(first, otherFirst), Math.min(last, otherLast)])
    }
    if (last < otherLast) one++
    else two++
  }
  return shared
}

/** Every code point that is not in `ranges`. */
function complement(ranges: CodePoints): CodePoints {
  const left: (readonly [number, number])[] = []
  let next = 0
  for (const [first, last] of normalized(ranges)) {
    if (first > next) left.push([next, first - 1])
    next = last + 1
  }
  if (next <= CODE_POINT_MAX) left.push([next, CODE_POINT_MAX])
  return left
}

/** One character out of `ranges`, in UTF-8. */
export function oneOf(expressions: Expressions, ranges: CodePoints): Expression {
  const characters = without(ranges, [SURROGATES])
  expressions.budget.spend(8 + 4 * ranges.length)
  const sequences: Expression[] = []
  let length = 0
  let first = 0
  for (const end of LENGTH_ENDS) {
    length++
    for (const [from, to] of common(characters, [[first, end]])) sequences.push(utf8(expressions, from, to, length))
    first = end + 1
  }
  return expressions.choice(sequences)
}

/** The code points `first` to `last`, all of `length` bytes. */
function utf8(expressions: Expressions, first: number, last: number, length: number): Expression {
  const lead = length === 1 ? 0 : (0xf00 >> length) & 0xff
  return byteRange(expressions, first, last, length - 1, lead)
}

/** `tail` continuation bytes follow the one that begins with the bits `lead`. */
function byteRange(expressions: Expressions, first: number, last: number, tail: number, lead: number): Expression {
  if (tail === 0) return expressions.byteIn([[lead | first, lead | last]])
  const shift = 6 * tail
  const low = first >> shift
  const high = last >> shift
  const mask = (1 << shift) - 1
  const below = (value: number, to: number): Expression =>
    byteRange(expressions, value & mask, to & mask, tail - 1, 0x80)
  const at = (value: number): Expression => expressions.byteIn([[lead | value, lead | value]])
  if (low === high) return expressions.pair(at(low), below(first, last))
  const options: Expression[] = []
  let from = low
  let to = high
  if ((first & mask) !== 0) {
    options.push(expressions.pair(at(low), below(first, mask)))
    from++
  }
  if ((last & mask) !== mask) {
    options.push(expressions.pair(at(high), below(0, last)))
    to--
  }
  if (from <= to) options.push(expressions.pair(expressions.byteIn([[lead | from, lead | to]]), below(0, mask)))
  return expressions.choice(options)
}
