import type { Expression } from './expression.ts'
import type { JsonText } from './json-text.ts'
import { PERMUTED_VALUES_MAX } from './limits.ts'

/**
 * An array of `min` to `max` of these values, each at most once. A few values may come in any order, many only in the order
 * of `values`.
 */
export function distinctArray(json: JsonText, values: readonly unknown[], min: number, max: number): Expression {
  const items = values.map(value => json.value(value))
  return values.length <= PERMUTED_VALUES_MAX ? permuted(json, items, min, max) : ascending(json, items, min, max)
}

function permuted(json: JsonText, items: readonly Expression[], min: number, max: number): Expression {
  const { expressions } = json
  const close = expressions.pair(json.space, expressions.literal(']'))
  const made = new Map<number, Expression>()
  /** What may follow the items that are set in `used`. */
  const following = (used: number, count: number): Expression => {
    const known = made.get(used)
    if (known !== undefined) return known
    const options = items.map((item, index) =>
      count >= max || (used & (1 << index)) !== 0
        ? expressions.dead
        : expressions.sequence([separator(json, count), item, following(used | (1 << index), count + 1)])
    )
    const whole = expressions.choice([...options, count >= min ? close : expressions.dead])
    made.set(used, whole)
    return whole
  }
  return expressions.pair(expressions.literal('['), following(0, 0))
}

function ascending(json: JsonText, items: readonly Expression[], min: number, max: number): Expression {
  const { expressions } = json
  const close = expressions.pair(json.space, expressions.literal(']'))
  const counts = Math.min(items.length, Number.isFinite(max) ? max : min)
  /** What may follow so many items, with those from the one that is looked at on left. */
  let following = Array.from({ length: counts + 1 }, (_, count) => (count >= min ? close : expressions.dead))
  for (const item of items.toReversed()) {
    following = following.map((later, count) => {
      const after = following[Math.min(count + 1, counts)] ?? expressions.dead
      if (count >= max) return later
      const next = (taken: number): Expression => expressions.sequence([separator(json, taken), item, after])
      return expressions.choice([next(count), later])
    })
  }
  return expressions.pair(expressions.literal('['), following[0] ?? expressions.dead)
}

export interface Containing {
  readonly item: Expression
  /** An item that is looked for. */
  readonly match: Expression
  /** How many are. */
  readonly least: number
  readonly min: number
  readonly max: number
}

/** An array of `min` to `max` items, some of which match. */
export function containingArray(json: JsonText, { item, match, least, min, max }: Containing): Expression {
  const { expressions } = json
  const close = expressions.pair(json.space, expressions.literal(']'))
  const finite = Number.isFinite(max)
  const counts = finite ? max : Math.max(1, min)
  const made: Expression[][] = []
  for (let count = counts; count >= 0; count--) {
    const row: Expression[] = []
    for (let found = least; found >= 0; found--) row[found] = following(count, found)
    made[count] = row
  }
  return expressions.pair(expressions.literal('['), made[0]?.[0] ?? expressions.dead)

  /** What may follow `count` items, `found` of which match; both as far as they are counted. */
  function following(count: number, found: number): Expression {
    const end = count >= min && found >= least ? close : expressions.dead
    if (count === counts) return finite ? end : endless(found)
    const next = made[count + 1] ?? []
    const one = (what: Expression, then: Expression | undefined): Expression =>
      expressions.sequence([separator(json, count), what, then ?? expressions.dead])
    const matching = found < least ? one(match, next[found + 1]) : expressions.dead
    return expressions.choice([one(item, next[found]), matching, end])
  }

  function endless(found: number): Expression {
    const others = expressions.repeat(expressions.pair(json.comma, item))
    const matches = Array.from({ length: least - found }, () => expressions.sequence([json.comma, match, others]))
    return expressions.sequence([others, ...matches, close])
  }
}

function separator(json: JsonText, count: number): Expression {
  return count === 0 ? json.space : json.comma
}
