import type { Expression } from './expression.ts'
import type { JsonText, Member } from './json-text.ts'

/** Declared members, and others, `min` to `max` of them in all. */
export function countedObject(
  json: JsonText,
  members: readonly Member[],
  extra: Expression | undefined,
  { min, max }: { readonly min: number; readonly max: number }
): Expression {
  const { expressions } = json
  const { dead } = expressions
  const close = expressions.pair(json.space, expressions.literal('}'))
  const most = Number.isFinite(max) ? Math.min(max, members.length) : Math.min(min, members.length)
  /** What may follow when so many members stand before it; of more than `most` it is the same. */
  let following = Array.from({ length: most + 1 }, (_, count) => behind(count))
  for (const { name, value, required } of members.toReversed()) {
    const later = following
    following = later.map((without, count) => {
      const left = required ? dead : without
      if (count >= max) return left
      const after = later[Math.min(count + 1, most)] ?? dead
      const member = json.member(json.value(name), value)
      return expressions.choice([expressions.sequence([separator(count), member, after]), left])
    })
  }
  return expressions.pair(expressions.literal('{'), following[0] ?? dead)

  function separator(count: number): Expression {
    return count === 0 ? json.space : json.comma
  }

  /** Members without a declared name. Two of them may have the same, and count as one. */
  function behind(count: number): Expression {
    const room = max - count
    if (extra === undefined || room <= 0) return count >= min ? close : dead
    if (count + 1 < min) return dead
    const further = expressions.repeat(expressions.pair(json.comma, extra), 0, room - 1)
    const some = expressions.sequence([separator(count), extra, further, close])
    return count >= min ? expressions.choice([some, close]) : some
  }
}
