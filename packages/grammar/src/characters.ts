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
  let left = normalized(ranges)
  for (const [holeFirst, holeLast] of holes) {
    left = left.flatMap(([first, last]) => {
      if (holeLast < first || holeFirst > last) return [[first, last] as const]
      const parts: (readonly [number, number])[] = []
      if (first < holeFirst) parts.push([first, holeFirst - 1])
      if (holeLast < last) parts.push([holeLast + 1, last])
      return parts
    })
  }
  return left
}

/** What is in both. */
export function common(ranges: CodePoints, others: CodePoints): CodePoints {
  return without(ranges, without([[0, CODE_POINT_MAX]], others))
}

/** One character out of `ranges`, in UTF-8. */
export function oneOf(expressions: Expressions, ranges: CodePoints): Expression {
  const characters = without(ranges, [SURROGATES])
  const sequences: Expression[] = []
  let length = 0
  let first = 0
  for (const end of LENGTH_ENDS) {
    length++
    for (const [from, to] of common(characters, [[first, end]])) sequences.push(utf8(expressions, from, to, length))
    first = end + 1
  }
  return expressions.choice(...sequences)
}

/** The code points `first` to `last`, all of `length` bytes. */
function utf8(expressions: Expressions, first: number, last: number, length: number): Expression {
  const lead = length === 1 ? 0 : (0xf00 >> length) & 0xff
  return byteRange(expressions, first, last, length - 1, lead)
}

/** `tail` continuation bytes follow the one that begins with the bits `lead`. */
function byteRange(expressions: Expressions, first: number, last: number, tail: number, lead: number): Expression {
  if (tail === 0) return expressions.bytes([[lead | first, lead | last]])
  const shift = 6 * tail
  const low = first >> shift
  const high = last >> shift
  const mask = (1 << shift) - 1
  const below = (value: number, to: number): Expression =>
    byteRange(expressions, value & mask, to & mask, tail - 1, 0x80)
  const at = (value: number): Expression => expressions.bytes([[lead | value, lead | value]])
  if (low === high) return expressions.sequence(at(low), below(first, last))
  const options: Expression[] = []
  let from = low
  let to = high
  if ((first & mask) !== 0) {
    options.push(expressions.sequence(at(low), below(first, mask)))
    from++
  }
  if ((last & mask) !== mask) {
    options.push(expressions.sequence(at(high), below(0, last)))
    to--
  }
  if (from <= to) options.push(expressions.sequence(expressions.bytes([[lead | from, lead | to]]), below(0, mask)))
  return expressions.choice(...options)
}
