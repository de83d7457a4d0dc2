import type { Expression, Expressions } from './expression.ts'
import { LEADING_DEPTH_MAX } from './limits.ts'

/**
 * The name of a reference that no finite text can stand for, or that stands for itself before any byte is read; undefined
 * when there is none. An automaton must have neither: it would get stuck, or never get anywhere. The work grows with
 * the size of what `root` reaches.
 *
 * @throws MeshError `invalid_request` when too many parts stand in one place
 */
export function brokenReference(expressions: Expressions, root: Expression): string | undefined {
  const reached = reachable(expressions, root)
  const finite = withText(expressions, reached)
  const endless = reached.find(one => one.form.type === 'reference' && one.form.name !== undefined && !finite.has(one))
  return nameOf(endless) ?? nameOf(leadsToItself(expressions, root, reached))
}

function nameOf(expression: Expression | undefined): string | undefined {
  return expression?.form.type === 'reference' ? expression.form.name : undefined
}

/** What an expression is made of. */
function partsOf({ form }: Expression): readonly Expression[] {
  if (form.type === 'sequence') return [form.first, form.rest]
  if (form.type === 'choice') return form.options
  if (form.type === 'reference') return [form.target()]
  if (form.type === 'meet') return [...form.all, form.none]
  return form.type === 'repeat' ? [form.item] : []
}

/** Those of its parts that may read the first byte. */
function leadingPartsOf(expression: Expression): readonly Expression[] {
  const { form } = expression
  return form.type === 'sequence' && !form.first.nullable ? [form.first] : partsOf(expression)
}

/** Everything within `root`, from the outside in. */
function reachable(expressions: Expressions, root: Expression): Expression[] {
  const seen = new Set([root])
  for (const one of seen) {
    const parts = partsOf(one)
    expressions.budget.spend(1 + parts.length)
    for (const part of parts) seen.add(part)
  }
  return [...seen]
}

/** Those that some finite text is in the language of, from the leaves up. */
function withText(expressions: Expressions, all: readonly Expression[]): Set<Expression> {
  const wholes = new Map<Expression, Expression[]>()
  /** How many of an expression's parts must still be found to have a text. */
  const missing = new Map<Expression, number>()
  const finite = new Set<Expression>()
  for (const one of all) {
    const parts = partsOf(one)
    const needed = neededParts(one)
    missing.set(one, needed)
    if (needed === 0) finite.add(one)
    for (const part of parts) {
      const known = wholes.get(part)
      if (known === undefined) wholes.set(part, [one])
      else known.push(one)
    }
  }
  for (const one of finite) {
    const above = wholes.get(one) ?? []
    expressions.budget.spend(1 + above.length)
    for (const whole of above) {
      const left = (missing.get(whole) ?? 0) - 1
      missing.set(whole, left)
      if (left <= 0) finite.add(whole)
    }
  }
  return finite
}

function neededParts({ form }: Expression): number {
  switch (form.type) {
    case 'dead':
      return Number.POSITIVE_INFINITY
    case 'sequence':
      // the same part twice is found once, and counted once for each place
      return 2
    case 'repeat':
      return form.min === 0 ? 0 : 1
    case 'choice':
    case 'reference':
      return 1
    default:
      return 0
  }
}

/** A reference on a circle of expressions that no byte is read on; the outermost one that is met. */
function leadsToItself(expressions: Expressions, root: Expression, all: readonly Expression[]): Expression | undefined {
  const done = new Map<Expression, number>()
  for (const start of [root, ...all]) {
    const found = circleFrom(expressions, start, done)
    if (found !== undefined) return found
  }
  return undefined
}

interface Step {
  readonly one: Expression
  readonly parts: readonly Expression[]
  next: number
  /** Of the longest way down that was walked from here. */
  height: number
}

/** @param heights of what was walked before, which is on no circle */
function circleFrom(
  expressions: Expressions,
  start: Expression,
  heights: Map<Expression, number>
): Expression | undefined {
  if (heights.has(start)) return undefined
  const path: Step[] = []
  const onPath = new Map<Expression, number>()
  const enter = (one: Expression): void => {
    expressions.budget.spend(1)
    onPath.set(one, path.length)
    path.push({ one, parts: leadingPartsOf(one), next: 0, height: 0 })
  }
  enter(start)
  for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
    const part = step.parts[step.next++]
    if (part === undefined) {
      path.pop()
      onPath.delete(step.one)
      heights.set(step.one, step.height)
      raise(expressions, path.at(-1), step.height)
      continue
    }
    const known = heights.get(part)
    const at = onPath.get(part)
    if (known !== undefined) raise(expressions, step, known)
    else if (at === undefined) enter(part)
    else return path.slice(at).find(({ one }) => nameOf(one) !== undefined)?.one
  }
  return undefined
}

function raise(expressions: Expressions, step: Step | undefined, below: number): void {
  if (step === undefined) return
  // the parts of a sequence stand beside each other, not in each other
  const height = step.one.form.type === 'sequence' ? below : below + 1
  step.height = Math.max(step.height, height)
  if (step.height > LEADING_DEPTH_MAX / 2) {
    throw expressions.budget.refusal(`nests more than ${LEADING_DEPTH_MAX / 2} parts in one place`)
  }
}
