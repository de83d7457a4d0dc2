import type { Expression, Expressions, Successors } from './expression.ts'
import { MEET_STATES_MAX } from './limits.ts'

/** What all of `all` allow and `none` does not. */
export interface Meet {
  readonly all: readonly Expression[]
  readonly none: Expression
}

/** What comes after the bytes from `start` to the next segment; without `all` they may not come. */
export interface MeetSegment {
  readonly start: number
  readonly all: readonly Expression[] | undefined
  readonly none: Expression
}

type Step = (state: Expression) => Successors

/** A meet in the one way that it is written, or what it comes to without one. */
type Plain = { readonly key: string; readonly meet: Meet } | Expression

/**
 * The expression for an intersection, the empty language where no text is left of it. Whether one is left is searched
 * for here, so that an answer never stands where it cannot be finished.
 *
 * @throws MeshError `invalid_request` when the search takes too much work
 */
export function intersection(expressions: Expressions, parts: Meet, step: Step): Expression {
  const plain = plainMeet(expressions, parts)
  if (!('key' in plain)) return plain
  const { key, meet } = plain
  if (!leavesText(expressions, key, meet, step)) return expressions.dead
  return expressions.meet(key, meet.all, meet.none)
}

/** The segments of bytes on which nothing changes, over the successors of all parts. */
export function meetSegments(expressions: Expressions, all: readonly Successors[], none: Successors): MeetSegment[] {
  const begins = new Set<number>([0])
  for (const { firsts, lasts } of [...all, none]) {
    expressions.budget.spend(firsts.length)
    for (const first of firsts) begins.add(first)
    for (const last of lasts) begins.add(last + 1)
  }
  const starts = [...begins].filter(start => start < 256).sort((a, b) => a - b)
  const cursors = all.map(successors => new Cursor(successors))
  const other = new Cursor(none)
  expressions.budget.spend(starts.length * (all.length + 1))
  return starts.map(start => {
    const nexts = cursors.map(cursor => cursor.at(start))
    const everyone = nexts.filter(next => next !== undefined)
    return {
      start,
      all: everyone.length === all.length ? everyone : undefined,
      none: other.at(start) ?? expressions.dead
    }
  })
}

/** Reads the states after ascending bytes. */
class Cursor {
  readonly #successors: Successors
  #index = 0

  constructor(successors: Successors) {
    this.#successors = successors
  }

  at(byte: number): Expression | undefined {
    const { firsts, lasts, nexts } = this.#successors
    while ((lasts[this.#index] ?? 256) < byte) this.#index++
    return byte >= (firsts[this.#index] ?? 256) ? nexts[this.#index] : undefined
  }
}

function plainMeet(expressions: Expressions, { all, none }: Meet): Plain {
  const { dead, empty } = expressions
  const flat = new Set<Expression>()
  const excluded = [none]
  for (const one of all) {
    if (one === dead) return dead
    if (one.form.type === 'meet') {
      for (const inner of one.form.all) flat.add(inner)
      excluded.push(one.form.none)
    } else flat.add(one)
  }
  const without = expressions.choice(excluded)
  if (flat.has(without)) return dead
  if (flat.has(empty)) return [...flat].every(one => one.nullable) && !without.nullable ? empty : dead
  const merged = mergedRuns(expressions, flat)
  if (merged.has(dead)) return dead
  const [only] = merged
  if (merged.size === 1 && only !== undefined && without === dead) return only
  const sorted = [...merged].sort((a, b) => a.id - b.id)
  return { key: `m${sorted.map(one => one.id).join()}!${without.id}`, meet: { all: sorted, none: without } }
}

/**
 * Runs of single characters as one, where one of them is of any character at all: `[a-z]+` with at most five
 * characters is `[a-z]{1,5}`, without a state for each pair of counts.
 */
function mergedRuns(expressions: Expressions, parts: ReadonlySet<Expression>): Set<Expression> {
  const { anyCharacter } = expressions
  const counts = [...parts].filter(one => runOf(expressions, one)?.item === anyCharacter)
  if (anyCharacter === undefined || counts.length === 0) return new Set(parts)
  let [min, max] = [0, Number.POSITIVE_INFINITY]
  for (const one of counts) {
    const run = runOf(expressions, one)
    min = Math.max(min, run?.min ?? 0)
    max = Math.min(max, run?.max ?? max)
  }
  const others = [...parts].filter(one => !counts.includes(one))
  const at = others.findIndex(one => runOf(expressions, one) !== undefined)
  const run = at < 0 ? undefined : runOf(expressions, others[at] ?? expressions.dead)
  if (run === undefined) {
    if (min === 0 && max === Number.POSITIVE_INFINITY && others.length > 0) return new Set(others)
    return new Set([...others, expressions.repeat(anyCharacter, min, max)])
  }
  others[at] = expressions.repeat(run.item, Math.max(min, run.min), Math.min(max, run.max))
  return new Set(others)
}

function runOf(expressions: Expressions, one: Expression): { item: Expression; min: number; max: number } | undefined {
  if (expressions.isCharacter(one)) return { item: one, min: 1, max: 1 }
  return one.form.type === 'repeat' && expressions.isCharacter(one.form.item) ? one.form : undefined
}

/** Whether some text is in it; breadth first, so that what is found is the nearest. */
function leavesText(expressions: Expressions, key: string, meet: Meet, step: Step): boolean {
  const known = expressions.isLeft(key)
  if (known !== undefined) return known
  const from = new Map<string, string | undefined>([[key, undefined]])
  const waiting: { key: string; meet: Meet }[] = [{ key, meet }]
  const found = (last: string): true => {
    for (let at: string | undefined = last; at !== undefined; at = from.get(at)) expressions.keepLeft(at, true)
    return true
  }
  for (const one of waiting) {
    expressions.budget.spend(4)
    const { all, none } = one.meet
    if (all.every(part => part.nullable) && !none.nullable) return found(one.key)
    for (const segment of meetSegments(expressions, all.map(step), step(none))) {
      if (segment.all === undefined) continue
      const next = plainMeet(expressions, { all: segment.all, none: segment.none })
      if (!('key' in next)) {
        if (next !== expressions.dead) return found(one.key)
        continue
      }
      const left = expressions.isLeft(next.key)
      if (left === true) return found(one.key)
      if (left === false || from.has(next.key)) continue
      from.set(next.key, one.key)
      waiting.push(next)
      if (waiting.length > MEET_STATES_MAX) {
        throw expressions.budget.refusal(`needs more than ${MEET_STATES_MAX} states for what must hold at once`)
      }
    }
  }
  for (const dead of from.keys()) expressions.keepLeft(dead, false)
  return false
}
