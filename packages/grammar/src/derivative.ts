import type { Expression, Expressions } from './expression.ts'

/**
 * What may follow after `byte` (Brzozowski, "Derivatives of regular expressions", 1964); {@link Expressions.dead} when
 * `byte` may not come. Each is worked out once and kept with the state.
 */
export function after(expressions: Expressions, state: Expression, byte: number): Expression {
  const known = state.row?.[byte]
  if (known !== undefined) return known
  const next = derive(expressions, state, byte)
  expressions.row(state)[byte] = next
  return next
}

function derive(expressions: Expressions, state: Expression, byte: number): Expression {
  const { form } = state
  switch (form.type) {
    case 'dead':
    case 'empty':
      return expressions.dead
    case 'bytes':
      return form.ranges.some(([first, last]) => byte >= first && byte <= last) ? expressions.empty : expressions.dead
    case 'literal':
      return form.bytes[form.at] === byte ? expressions.literal(form.bytes, form.at + 1) : expressions.dead
    case 'sequence': {
      const inFirst = expressions.sequence(after(expressions, form.first, byte), form.rest)
      return form.first.nullable ? expressions.choice(inFirst, after(expressions, form.rest, byte)) : inFirst
    }
    case 'choice':
      return expressions.choice(...form.options.map(option => after(expressions, option, byte)))
    case 'repeat': {
      const inItem = after(expressions, form.item, byte)
      const further = expressions.repeat(form.item, Math.max(0, form.min - 1), form.max - 1)
      return expressions.sequence(inItem, further)
    }
    case 'number':
      return expressions.number(form.bounds, form.written + String.fromCharCode(byte))
    case 'reference':
      return after(expressions, form.target(), byte)
  }
}

/**
 * Names of references that no finite text can stand for, or that stand for themselves before any byte is read. An
 * automaton must have neither: it would get stuck, or never get anywhere.
 */
export function brokenReferences(roots: readonly Expression[]): string[] {
  const references = new Map<Expression, Expression>()
  for (const root of roots) collect(root, references, new Set())
  const finite = new Set<Expression>()
  for (let before = -1; before < finite.size; ) {
    before = finite.size
    for (const [reference, target] of references) if (hasText(target, finite)) finite.add(reference)
  }
  const broken = [...references.keys()].filter(
    reference => !finite.has(reference) || leadsToItself(reference, references)
  )
  return broken.map(({ form }) => (form.type === 'reference' ? form.name : ''))
}

function parts({ form }: Expression): readonly Expression[] {
  if (form.type === 'sequence') return [form.first, form.rest]
  if (form.type === 'choice') return form.options
  return form.type === 'repeat' ? [form.item] : []
}

function collect(root: Expression, references: Map<Expression, Expression>, seen: Set<Expression>): void {
  const open = [root]
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    if (seen.has(one)) continue
    seen.add(one)
    if (one.form.type === 'reference' && !references.has(one)) {
      const target = one.form.target()
      references.set(one, target)
      open.push(target)
    }
    open.push(...parts(one))
  }
}

/** Whether a finite text is in the language when those of `finite` have one; `known` keeps this pass's answers. */
function hasText(
  expression: Expression,
  finite: ReadonlySet<Expression>,
  known: Map<Expression, boolean> = new Map()
): boolean {
  const answered = known.get(expression)
  if (answered !== undefined) return answered
  const { form } = expression
  const each = (part: Expression): boolean => hasText(part, finite, known)
  let answer = form.type !== 'dead'
  if (form.type === 'reference') answer = finite.has(expression)
  else if (form.type === 'choice') answer = form.options.some(each)
  else if (form.type === 'sequence') answer = each(form.first) && each(form.rest)
  else if (form.type === 'repeat') answer = form.min === 0 || each(form.item)
  known.set(expression, answer)
  return answer
}

function leadsToItself(reference: Expression, references: ReadonlyMap<Expression, Expression>): boolean {
  const seen = new Set<Expression>()
  const open = [references.get(reference)]
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    if (one === reference) return true
    if (seen.has(one)) continue
    seen.add(one)
    const { form } = one
    if (form.type === 'reference') open.push(references.get(one))
    else if (form.type === 'sequence') open.push(form.first, ...(form.first.nullable ? [form.rest] : []))
    else open.push(...parts(one))
  }
  return false
}
