import type { Expression, Expressions, Successors } from './expression.ts'
import { intersection, meetSegments } from './intersection.ts'
import { LEADING_DEPTH_MAX, STATES_BYTES_MAX } from './limits.ts'

/** Asked more often than by one walk over all first bytes, a state gets a table of all bytes. */
const USES_BEFORE_ROW = 300

/**
 * What may follow after `byte` (Brzozowski, "Derivatives of regular expressions", 1964); undefined when `byte` may not
 * come. All successors of a state are worked out at once, by ranges of bytes, and kept with it.
 *
 * @throws MeshError `invalid_request` when that takes more work than the budget of `expressions` has
 */
export function after(expressions: Expressions, state: Expression, byte: number): Expression | undefined {
  const { row } = state
  if (row !== undefined) return row[byte]
  const successors = state.successors ?? worked(expressions, state)
  if (++successors.uses > USES_BEFORE_ROW) expressions.keepRow(state, rowOf(successors))
  const { firsts, lasts, nexts } = successors
  for (let index = 0; index < firsts.length; index++) {
    if (byte < (firsts[index] ?? 0)) return undefined
    if (byte <= (lasts[index] ?? 0)) return nexts[index]
  }
  return undefined
}

function rowOf({ firsts, lasts, nexts }: Successors): (Expression | undefined)[] {
  const row = new Array<Expression | undefined>(256).fill(undefined)
  for (const [index, first] of firsts.entries()) row.fill(nexts[index], first, (lasts[index] ?? 0) + 1)
  return row
}

/** Where a text stands is a safe place to forget: nothing is half made. */
function worked(expressions: Expressions, state: Expression): Successors {
  if (expressions.bytesOfStates > STATES_BYTES_MAX) expressions.forget()
  return successorsOf(expressions, state, 0)
}

function successorsOf(expressions: Expressions, state: Expression, depth: number): Successors {
  if (state.successors !== undefined) return state.successors
  if (depth > LEADING_DEPTH_MAX)
    throw expressions.budget.refusal(`nests more than ${LEADING_DEPTH_MAX} parts in one place`)
  const successors = derived(expressions, state, depth + 1)
  expressions.keepSuccessors(state, successors)
  return successors
}

function derived(expressions: Expressions, state: Expression, depth: number): Successors {
  const { form } = state
  expressions.budget.spend(2)
  switch (form.type) {
    case 'dead':
    case 'empty':
      return successors([], [], [])
    case 'bytes': {
      const [firsts, lasts] = [form.ranges.map(([first]) => first), form.ranges.map(([, last]) => last)]
      return successors(
        firsts,
        lasts,
        firsts.map(() => expressions.empty)
      )
    }
    case 'literal': {
      const byte = form.text.bytes[form.at] ?? 0
      return successors([byte], [byte], [expressions.literalRest(form.text, form.at + 1)])
    }
    case 'sequence':
      return ofSequence(expressions, state, depth)
    case 'choice':
      return union(
        expressions,
        form.options.map(option => successorsOf(expressions, option, depth))
      )
    case 'repeat': {
      const further = expressions.repeat(form.item, Math.max(0, form.min - 1), form.max - 1)
      return followedBy(expressions, successorsOf(expressions, form.item, depth), further)
    }
    case 'number': {
      const { bounds, written } = form
      const letters = [...NUMBER_LETTERS].map(letter => expressions.number(bounds, written + letter))
      const codes = [...NUMBER_LETTERS].map(letter => letter.charCodeAt(0))
      const alive = letters.flatMap((next, index) => (next === expressions.dead ? [] : [index]))
      const bytes = alive.map(index => codes[index] ?? 0)
      return successors(
        bytes,
        bytes,
        alive.map(index => letters[index] ?? expressions.dead)
      )
    }
    case 'meet':
      return ofMeet(expressions, form.all, form.none, depth)
    case 'reference':
      return successorsOf(expressions, form.target(), depth)
  }
}

/**
 * What all of `all` allow and `none` does not; the empty language where no text is left. None of them may contain itself.
 *
 * @throws MeshError `invalid_request` when finding that out takes too much work
 */
export function meet(expressions: Expressions, all: readonly Expression[], none = expressions.dead): Expression {
  return intersection(expressions, { all, none }, state => successorsOf(expressions, state, 0))
}

function ofMeet(expressions: Expressions, all: readonly Expression[], none: Expression, depth: number): Successors {
  const step = (state: Expression): Successors => successorsOf(expressions, state, depth)
  const options = meetSegments(expressions, all.map(step), step(none))
  const starts = options.map(({ start }) => start)
  const nexts = options.map(({ all: each, none: other }) =>
    each === undefined
      ? []
      : [intersection(expressions, { all: each, none: other }, step)].filter(one => one !== expressions.dead)
  )
  return joined(expressions, starts, nexts)
}

/** What a number may be written with, by their bytes. */
const NUMBER_LETTERS = '-.0123456789'

/** The parts of a sequence one after another, as long as those before them may be left out. */
function ofSequence(expressions: Expressions, state: Expression, depth: number): Successors {
  const parts: Successors[] = []
  let one = state
  for (; one.form.type === 'sequence'; one = one.form.rest) {
    const { first, rest } = one.form
    parts.push(followedBy(expressions, successorsOf(expressions, first, depth), rest))
    if (!first.nullable) return union(expressions, parts)
  }
  parts.push(successorsOf(expressions, one, depth))
  return union(expressions, parts)
}

function successors(firsts: readonly number[], lasts: readonly number[], nexts: readonly Expression[]): Successors {
  return { firsts, lasts, nexts, uses: 0 }
}

function followedBy(expressions: Expressions, { firsts, lasts, nexts }: Successors, rest: Expression): Successors {
  const paired = new Map<Expression, Expression>()
  const all = nexts.map(next => {
    const pair = paired.get(next) ?? expressions.pair(next, rest)
    paired.set(next, pair)
    return pair
  })
  return successors(firsts, lasts, all)
}

/** The successors of a choice between states that have these. */
function union(expressions: Expressions, all: readonly Successors[]): Successors {
  const [only] = all
  if (all.length === 1 && only !== undefined) return successors(only.firsts, only.lasts, only.nexts)
  // a segment begins wherever a range begins or has just ended
  const begins = new Uint8Array(257)
  for (const { firsts, lasts } of all) {
    firsts.forEach((first, index) => {
      begins[first] = 1
      begins[(lasts[index] ?? 0) + 1] = 1
    })
  }
  const starts = [...begins.keys()].filter(byte => begins[byte] === 1)
  const segmentAt = new Uint16Array(257)
  for (const [segment, start] of starts.entries()) segmentAt.fill(segment, start)
  const options: Expression[][] = starts.map(() => [])
  for (const { firsts, lasts, nexts } of all) {
    nexts.forEach((next, index) => {
      const from = segmentAt[firsts[index] ?? 0] ?? 0
      const end = segmentAt[(lasts[index] ?? 0) + 1] ?? 0
      expressions.budget.spend(end - from)
      for (let segment = from; segment < end; segment++) options[segment]?.push(next)
    })
  }
  return joined(expressions, starts, options)
}

/** Choices of `options` over the segments that begin at `starts`, equal neighbours as one. */
function joined(
  expressions: Expressions,
  starts: readonly number[],
  options: readonly (readonly Expression[])[]
): Successors {
  const firsts: number[] = []
  const lasts: number[] = []
  const nexts: Expression[] = []
  starts.forEach((start, segment) => {
    const listed = options[segment] ?? []
    if (listed.length === 0) return
    const next = expressions.choice(listed)
    const last = (starts[segment + 1] ?? 256) - 1
    if (nexts.at(-1) === next && lasts.at(-1) === start - 1) lasts[lasts.length - 1] = last
    else {
      firsts.push(start)
      lasts.push(last)
      nexts.push(next)
    }
  })
  return successors(firsts, lasts, nexts)
}
