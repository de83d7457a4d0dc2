import type { BoundedNumber } from './bounded-number.ts'
import type { WorkBudget } from './work-budget.ts'

/** Byte values, `[first, last]` both included, ascending and apart. */
export type ByteRanges = readonly (readonly [number, number])[]

/**
 * A language of byte strings, and at once a state of the automaton that reads it: what may still come.
 *
 * No expression but {@link Expressions.dead} stands for the empty language, so from every state that can be reached a
 * complete text can be reached too.
 */
export interface Expression {
  /** Unique, in the order of creation. */
  readonly id: number
  /** The text may end here. */
  readonly nullable: boolean
  readonly form: ExpressionForm
  /** What follows, once it was asked for. */
  successors: Successors | undefined
  /** The same for each byte, where it is asked for often. */
  row: readonly (Expression | undefined)[] | undefined
}

export type ExpressionForm =
  | { readonly type: 'dead' }
  | { readonly type: 'empty' }
  | { readonly type: 'bytes'; readonly ranges: ByteRanges }
  /** `text` from `at` on. */
  | { readonly type: 'literal'; readonly text: LiteralText; readonly at: number }
  | { readonly type: 'sequence'; readonly first: Expression; readonly rest: Expression }
  | { readonly type: 'choice'; readonly options: readonly Expression[] }
  | { readonly type: 'repeat'; readonly item: Expression; readonly min: number; readonly max: number }
  | { readonly type: 'number'; readonly written: string; readonly bounds: BoundedNumber }
  /** What all of `all` allow and `none` does not; made by `intersection` only, which knows that a text is left. */
  | { readonly type: 'meet'; readonly all: readonly Expression[]; readonly none: Expression }
  /** Stands for an expression that may contain itself; never nullable. Without a name it is no place in a schema. */
  | { readonly type: 'reference'; readonly name: string | undefined; readonly target: () => Expression }

export interface LiteralText {
  readonly id: number
  readonly bytes: Uint8Array
}

/** The states after each byte: `nexts[i]` after those from `firsts[i]` to `lasts[i]`. Ascending and apart. */
export interface Successors {
  readonly firsts: readonly number[]
  readonly lasts: readonly number[]
  readonly nexts: readonly Expression[]
  /** How often it was asked for a byte. */
  uses: number
}

const utf8 = new TextEncoder()

/** Bytes of the heap for an expression with its entry in the table, by measurement; keys and lists come on top. */
const EXPRESSION_BYTES = 240
const ITEM_BYTES = 16
const SUCCESSORS_BYTES = 280
const SUCCESSOR_BYTES = 24
const ROW_BYTES = 2100
const LEFT_BYTES = 72
/** Steps for making an expression; finding one that is there takes about a third. */
const CREATE_STEPS = 6

/**
 * Makes expressions, the same object for the same language as far as that is easily seen: so a text that comes back to
 * a situation comes back to a state, and what is known of a state is known for good.
 */
export class Expressions {
  readonly dead: Expression
  readonly empty: Expression
  /** Pays for what is made now. */
  budget: WorkBudget
  #known = new Map<string, Expression>()
  #literals = new Map<string, LiteralText>()
  #withSuccessors: Expression[] = []
  /** Single characters of a text, each in one spelling only. */
  readonly #characters = new Set<Expression>()
  /** Any single character of a text. */
  anyCharacter: Expression | undefined
  /** Whether a text is left of intersections, by their keys. */
  #left = new Map<string, boolean>()
  #count = 0
  #bytes = 0
  /** Bytes of what is in use whatever happens. */
  #bytesFixed = 0
  #forgotten = 0

  constructor(budget: WorkBudget) {
    this.budget = budget
    this.dead = this.#create({ type: 'dead' }, false)
    this.empty = this.#create({ type: 'empty' }, true)
  }

  /** Bytes that all of it takes, about. */
  get bytes(): number {
    return this.#bytes
  }

  /** Bytes since {@link settle}. */
  get bytesOfStates(): number {
    return this.#bytes - this.#bytesFixed
  }

  /** How often {@link forget} was called. */
  get forgotten(): number {
    return this.#forgotten
  }

  /** What is there now stays: {@link forget} gives back what comes later. */
  settle(): void {
    this.#bytesFixed = this.#bytes
  }

  /** Lets go of what texts have led to. Expressions in use stay good, and what is needed again is made anew. */
  forget(): void {
    for (const state of this.#withSuccessors) {
      state.successors = undefined
      state.row = undefined
    }
    this.#withSuccessors = []
    this.#known = new Map()
    this.#left = new Map()
    this.#bytes = this.#bytesFixed
    this.#forgotten++
  }

  /** Keeps what follows `state` with it. */
  keepSuccessors(state: Expression, successors: Successors): void {
    state.successors = successors
    this.#withSuccessors.push(state)
    this.#keep(SUCCESSORS_BYTES + SUCCESSOR_BYTES * successors.nexts.length)
  }

  /** Keeps a table of what follows each byte, for a state that has its successors. */
  keepRow(state: Expression, row: readonly (Expression | undefined)[]): void {
    state.row = row
    this.#keep(ROW_BYTES)
  }

  /** One byte out of `ranges`. */
  byteIn(ranges: ByteRanges): Expression {
    if (ranges.length === 0) return this.dead
    return this.#intern(`b${ranges.join(';')}`, false, ranges.length, () => ({ type: 'bytes', ranges }))
  }

  literal(value: string | Uint8Array): Expression {
    const bytes = typeof value === 'string' ? utf8.encode(value) : value
    if (bytes.length === 0) return this.empty
    this.budget.spend(bytes.length >> 4)
    const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
    let text = this.#literals.get(key)
    if (text === undefined) {
      text = { id: this.#literals.size, bytes }
      this.#literals.set(key, text)
      this.#keep(EXPRESSION_BYTES + 2 * bytes.length)
    }
    return this.literalRest(text, 0)
  }

  /** `text` from `at` on. */
  literalRest(text: LiteralText, at: number): Expression {
    if (at >= text.bytes.length) return this.empty
    return this.#intern(`l${text.id},${at}`, false, 0, () => ({ type: 'literal', text, at }))
  }

  /** One after the other. */
  sequence(parts: readonly Expression[]): Expression {
    let whole = this.empty
    for (let index = parts.length - 1; index >= 0; index--) whole = this.pair(parts[index] ?? this.empty, whole)
    return whole
  }

  /** `first`, then `rest`. Sequences lean to the right, so that what comes next is always found at once. */
  pair(first: Expression, rest: Expression): Expression {
    if (first === this.dead || rest === this.dead) return this.dead
    const parts: Expression[] = []
    let last = first
    for (; last.form.type === 'sequence'; last = last.form.rest) parts.push(last.form.first)
    let whole = this.#pair(last, rest)
    for (let index = parts.length - 1; index >= 0; index--) whole = this.#pair(parts[index] ?? this.empty, whole)
    return whole
  }

  choice(options: Iterable<Expression>): Expression {
    const flat = new Set<Expression>()
    for (const option of options) {
      if (option.form.type === 'choice') for (const inner of option.form.options) flat.add(inner)
      else if (option !== this.dead) flat.add(option)
    }
    const [only] = flat
    if (only === undefined) return this.dead
    if (flat.size === 1) return only
    this.budget.spend(flat.size)
    const sorted = [...flat].sort((a, b) => a.id - b.id)
    const nullable = sorted.some(option => option.nullable)
    const key = `c${sorted.map(option => option.id).join()}`
    return this.#intern(key, nullable, sorted.length, () => ({ type: 'choice', options: sorted }))
  }

  optional(expression: Expression): Expression {
    return this.choice([this.empty, expression])
  }

  /** `item` from `min` to `max` times; `max` may be infinite. */
  repeat(item: Expression, min = 0, max = Number.POSITIVE_INFINITY): Expression {
    if (max < min) return this.dead
    if (max === 0 || item === this.empty) return this.empty
    if (item === this.dead) return min === 0 ? this.empty : this.dead
    if (min === 1 && max === 1) return item
    // empty repetitions count, so a nullable item need not be repeated at all
    const least = item.nullable ? 0 : min
    const merged = mergedCounts(item.form, least, max)
    if (merged !== undefined) return this.repeat(merged.item, merged.min, merged.max)
    const nullable = least === 0
    return this.#intern(`r${item.id},${least},${max}`, nullable, 0, () => ({ type: 'repeat', item, min: least, max }))
  }

  /** A number literal within `bounds`, of which `written` is there already. */
  number(bounds: BoundedNumber, written = ''): Expression {
    this.budget.spend(CREATE_STEPS)
    if (!bounds.mayBegin(written)) return this.dead
    const complete = bounds.mayEnd(written)
    return this.#intern(`n${bounds.key},${written}`, complete, 4, () => ({ type: 'number', written, bounds }))
  }

  /** An intersection of which a text is left, with its key. */
  meet(key: string, all: readonly Expression[], none: Expression): Expression {
    const nullable = all.every(one => one.nullable) && !none.nullable
    return this.#intern(key, nullable, all.length, () => ({ type: 'meet', all, none }))
  }

  /** Whether a text is left of the intersection with this key, as far as that was found out. */
  isLeft(key: string): boolean | undefined {
    return this.#left.get(key)
  }

  keepLeft(key: string, left: boolean): void {
    if (this.#left.has(key)) return
    this.#left.set(key, left)
    this.#keep(LEFT_BYTES + key.length)
  }

  /** `expression` stands for single characters: runs of them can be counted without looking into them. */
  markCharacter(expression: Expression): Expression {
    if (expression !== this.dead) this.#characters.add(expression)
    return expression
  }

  isCharacter(expression: Expression): boolean {
    return this.#characters.has(expression)
  }

  /** Needed where an expression contains itself. `target` is called once, not before the first byte is read. */
  reference(name: string | undefined, target: () => Expression): Expression {
    let known: Expression | undefined
    const once = (): Expression => {
      known ??= target()
      return known
    }
    return this.#create({ type: 'reference', name, target: once }, false)
  }

  #pair(first: Expression, rest: Expression): Expression {
    if (first === this.empty) return rest
    if (rest === this.empty) return first
    const nullable = first.nullable && rest.nullable
    return this.#intern(`s${first.id},${rest.id}`, nullable, 0, () => ({ type: 'sequence', first, rest }))
  }

  #intern(key: string, nullable: boolean, items: number, form: () => ExpressionForm): Expression {
    this.budget.spend(2)
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const created = this.#create(form(), nullable)
    this.#known.set(key, created)
    this.#keep(key.length + ITEM_BYTES * items)
    return created
  }

  #keep(bytes: number): void {
    this.#bytes += bytes
    this.budget.keep(bytes)
  }

  #create(form: ExpressionForm, nullable: boolean): Expression {
    this.budget.spend(CREATE_STEPS)
    this.#keep(EXPRESSION_BYTES)
    return { id: this.#count++, nullable, form, successors: undefined, row: undefined }
  }
}

/**
 * A repetition of a repetition as one, where every count from the least to the most can come: `(a{0,3}){0,4}` is
 * `a{0,12}`, while `(a{3}){0,4}` is not `a{0,12}`. One count is one state where two are a grid of them.
 */
function mergedCounts(
  form: ExpressionForm,
  min: number,
  max: number
): { item: Expression; min: number; max: number } | undefined {
  if (form.type !== 'repeat') return undefined
  // each further round of the outer one must begin where the round before can reach; the first gap is the widest
  const apart = min < max && (min === 0 ? form.min > 1 : min * (form.max - form.min) < form.min - 1)
  const most = max * form.max
  if (apart || (Number.isFinite(most) && !Number.isSafeInteger(most))) return undefined
  return { item: form.item, min: min * form.min, max: most }
}
