import type { BoundedNumber } from './bounded-number.ts'

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
  /** States after each byte, as far as they were asked for; see {@link Expressions.row}. */
  row: (Expression | undefined)[] | undefined
}

export type ExpressionForm =
  | { readonly type: 'dead' }
  | { readonly type: 'empty' }
  | { readonly type: 'bytes'; readonly ranges: ByteRanges }
  /** `bytes` from `at` on. */
  | { readonly type: 'literal'; readonly bytes: Uint8Array; readonly at: number }
  | { readonly type: 'sequence'; readonly first: Expression; readonly rest: Expression }
  | { readonly type: 'choice'; readonly options: readonly Expression[] }
  | { readonly type: 'repeat'; readonly item: Expression; readonly min: number; readonly max: number }
  | { readonly type: 'number'; readonly written: string; readonly bounds: BoundedNumber }
  /** Stands for an expression that may contain itself; never nullable. */
  | { readonly type: 'reference'; readonly name: string; readonly target: () => Expression }

const text = new TextEncoder()

/** States whose successors are kept: a row of 256 takes 2 KiB. */
const ROWS_MAX = 4096
/** Expressions that are kept to be found again. */
const KNOWN_MAX = 65_536

/**
 * Makes expressions, the same object for the same language as far as that is easily seen: so a text that comes back to
 * a situation comes back to a state, and what is known of a state is known for good.
 */
export class Expressions {
  readonly dead: Expression
  readonly empty: Expression
  #known = new Map<string, Expression>()
  #withRow: Expression[] = []
  #count = 0

  constructor() {
    this.dead = this.#create({ type: 'dead' }, false)
    this.empty = this.#create({ type: 'empty' }, true)
  }

  /**
   * Where the successors of `state` are kept. When there are too many, all are forgotten: expressions in use stay
   * good, and what is needed again is made anew.
   */
  row(state: Expression): (Expression | undefined)[] {
    if (state.row !== undefined) return state.row
    if (this.#withRow.length >= ROWS_MAX || this.#known.size >= KNOWN_MAX) this.#forget()
    this.#withRow.push(state)
    state.row = new Array(256)
    return state.row
  }

  #forget(): void {
    for (const state of this.#withRow) state.row = undefined
    this.#withRow = []
    this.#known = new Map()
  }

  bytes(ranges: ByteRanges): Expression {
    if (ranges.length === 0) return this.dead
    return this.#intern(`b${ranges.join(';')}`, false, () => ({ type: 'bytes', ranges }))
  }

  literal(value: string | Uint8Array, at = 0): Expression {
    const bytes = typeof value === 'string' ? text.encode(value) : value
    if (at >= bytes.length) return this.empty
    const key = `l${Buffer.from(bytes.buffer, bytes.byteOffset + at, bytes.length - at).toString('latin1')}`
    return this.#intern(key, false, () => ({ type: 'literal', bytes, at }))
  }

  /** One after the other. */
  sequence(...parts: readonly Expression[]): Expression {
    return parts.reduceRight((rest, part) => this.#pair(part, rest), this.empty)
  }

  choice(...options: readonly Expression[]): Expression {
    const flat = new Map<number, Expression>()
    for (const option of options) {
      if (option.form.type === 'choice') for (const inner of option.form.options) flat.set(inner.id, inner)
      else if (option !== this.dead) flat.set(option.id, option)
    }
    const [only] = flat.values()
    if (only === undefined) return this.dead
    if (flat.size === 1) return only
    const sorted = [...flat.values()].toSorted((a, b) => a.id - b.id)
    const nullable = sorted.some(option => option.nullable)
    return this.#intern(`c${sorted.map(option => option.id).join()}`, nullable, () => ({
      type: 'choice',
      options: sorted
    }))
  }

  optional(expression: Expression): Expression {
    return this.choice(this.empty, expression)
  }

  /** `item` from `min` to `max` times; `max` may be infinite. */
  repeat(item: Expression, min = 0, max = Number.POSITIVE_INFINITY): Expression {
    if (max < min) return this.dead
    if (max === 0 || item === this.empty) return this.empty
    if (item === this.dead) return min === 0 ? this.empty : this.dead
    if (min === 1 && max === 1) return item
    // empty repetitions count, so a nullable item need not be repeated at all
    const least = item.nullable ? 0 : min
    return this.#intern(`r${item.id},${least},${max}`, least === 0, () => ({ type: 'repeat', item, min: least, max }))
  }

  /** A number literal within `bounds`, of which `written` is there already. */
  number(bounds: BoundedNumber, written = ''): Expression {
    if (!bounds.mayBegin(written)) return this.dead
    const complete = bounds.mayEnd(written)
    return this.#intern(`n${bounds.key},${written}`, complete, () => ({ type: 'number', written, bounds }))
  }

  /** Needed where an expression contains itself. `target` is not called before the first byte is read. */
  reference(name: string, target: () => Expression): Expression {
    return this.#create({ type: 'reference', name, target }, false)
  }

  #pair(first: Expression, rest: Expression): Expression {
    if (first === this.dead || rest === this.dead) return this.dead
    if (first === this.empty) return rest
    if (rest === this.empty) return first
    if (first.form.type === 'sequence') return this.#pair(first.form.first, this.#pair(first.form.rest, rest))
    const nullable = first.nullable && rest.nullable
    return this.#intern(`s${first.id},${rest.id}`, nullable, () => ({ type: 'sequence', first, rest }))
  }

  #intern(key: string, nullable: boolean, form: () => ExpressionForm): Expression {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const created = this.#create(form(), nullable)
    this.#known.set(key, created)
    return created
  }

  #create(form: ExpressionForm, nullable: boolean): Expression {
    return { id: this.#count++, nullable, form, row: undefined }
  }
}
