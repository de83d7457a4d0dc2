import type { BoundedNumber } from './bounded-number.ts'
import { ANY_CHARACTER, type CodePoints, common, oneOf } from './characters.ts'
import type { ByteRanges, Expression, Expressions } from './expression.ts'
import { BACKSLASH, PLAIN, QUOTE } from './json-characters.ts'
import { otherName } from './other-name.ts'

const SHORT_ESCAPES: readonly (readonly [string, number])[] = [
  ['"', QUOTE],
  ['\\', BACKSLASH],
  ['b', 0x08],
  ['t', 0x09],
  ['n', 0x0a],
  ['f', 0x0c],
  ['r', 0x0d]
]

/** Deepest indentation. White space has an end, so that a model cannot go on with it for ever. */
const INDENT_MAX = 64
/** Digits of a number without bounds, before the point and behind it: what a double can hold. */
const DIGITS_MAX = 15

/**
 * Optional members whose alternatives are listed together: each may be followed by any that comes later, which would be
 * half the square of their number.
 */
const MEMBERS_LISTED_MAX = 64

const utf8 = new TextEncoder()

export interface Member {
  readonly name: string
  readonly value: Expression
  readonly required: boolean
}

/** What stands where the items of an array stand. */
export interface ArrayItems {
  readonly prefix: readonly Expression[]
  /** For what comes behind the prefix; undefined: nothing may. */
  readonly rest: Expression | undefined
  readonly min: number
  readonly max: number
}

/** The pieces of JSON documents as expressions. */
export class JsonText {
  readonly expressions: Expressions
  readonly character: Expression
  /** Any value at all. */
  readonly anyValue: Expression
  /** A character that stands in a string as it is. */
  readonly plain: Expression
  readonly quote: Expression
  /** Nothing, a space, or a new line with its indentation. */
  readonly space: Expression
  readonly comma: Expression
  readonly #colon: Expression

  /** @param plain characters that a string may hold as they are */
  constructor(expressions: Expressions, plain: CodePoints = PLAIN) {
    this.expressions = expressions
    const { bytes, literal, choice, sequence, repeat, optional } = bound(expressions)
    this.quote = literal('"')
    this.plain = oneOf(expressions, plain)
    this.character = choice(this.plain, sequence(literal('\\'), escapes(expressions)))
    const blank = bytes([
      [0x09, 0x09],
      [0x20, 0x20]
    ])
    this.space = optional(choice(literal(' '), sequence(literal('\n'), repeat(blank, 0, INDENT_MAX))))
    this.comma = sequence(literal(','), this.space)
    this.#colon = sequence(literal(':'), optional(literal(' ')))
    this.anyValue = expressions.reference('any value', () => this.#any())
  }

  /** Any character of a string, each in one spelling only. */
  get anyCharacter(): Expression {
    const { expressions } = this
    expressions.anyCharacter ??= expressions.markCharacter(this.characterOf(ANY_CHARACTER))
    return expressions.anyCharacter
  }

  /** The name of a member. */
  name(name: string): Expression {
    return this.expressions.literal(JSON.stringify(name))
  }

  /** A member with this name. */
  member(name: Expression, value: Expression): Expression {
    return this.expressions.sequence([name, this.#colon, value])
  }

  /** An object with `members` in this order, and behind them as many as there are of `extra`. */
  object(members: readonly Member[], extra: Expression | undefined): Expression {
    const { literal, choice, sequence } = bound(this.expressions)
    const close = sequence(this.space, literal('}'))
    // what may follow when members stand before it, and when none does
    let following = close
    let leading = close
    if (extra !== undefined) {
      const more = this.expressions.repeat(sequence(this.comma, extra))
      following = sequence(more, close)
      leading = choice(sequence(this.space, extra, more, close), close)
    }
    for (const [index, { name, value, required }] of members.toReversed().entries()) {
      if (index % MEMBERS_LISTED_MAX === MEMBERS_LISTED_MAX - 1) {
        ;[following, leading] = [this.#apart(following), this.#apart(leading)]
      }
      const member = this.member(this.name(name), value)
      const asFirst = sequence(this.space, member, following)
      const asNext = sequence(this.comma, member, following)
      leading = required ? asFirst : choice(asFirst, leading)
      following = required ? asNext : choice(asNext, following)
    }
    return sequence(literal('{'), leading)
  }

  /** The same expression, not taken apart where it is an option of a choice. */
  #apart(expression: Expression): Expression {
    return this.expressions.reference(undefined, () => expression)
  }

  array({ prefix, rest, min, max }: ArrayItems): Expression {
    const { literal, choice, sequence, repeat } = bound(this.expressions)
    const close = sequence(this.space, literal(']'))
    const count = Math.min(prefix.length, max)
    const behind = (taken: number): Expression =>
      rest === undefined
        ? taken >= min
          ? this.expressions.empty
          : this.expressions.dead
        : repeat(sequence(this.comma, rest), Math.max(0, min - taken), max - taken)
    let following = sequence(behind(count), close)
    for (let index = count - 1; index >= 1; index--) {
      const next = sequence(this.comma, prefix[index] ?? this.anyValue, following)
      following = index >= min ? choice(next, close) : next
    }
    const first = count > 0 ? prefix[0] : max > 0 ? rest : undefined
    const afterFirst = count > 0 ? following : sequence(behind(1), close)
    const nothing = min === 0 ? close : this.expressions.dead
    const some = first === undefined ? this.expressions.dead : sequence(this.space, first, afterFirst)
    return sequence(literal('['), choice(nothing, some))
  }

  /** A string of so many characters; without limits, escapes of every kind may stand in it. */
  string(min = 0, max = Number.POSITIVE_INFINITY): Expression {
    return this.quoted(this.expressions.repeat(this.character, min, max))
  }

  /** A string with this content. */
  quoted(content: Expression): Expression {
    return this.expressions.sequence([this.quote, content, this.quote])
  }

  /** A text within a string, in its usual spelling. */
  literal(text: string): Expression {
    return this.expressions.literal(JSON.stringify(text).slice(1, -1))
  }

  /** One character out of `ranges` as a JSON string writes it, escaped where it must be. */
  characterOf(ranges: CodePoints): Expression {
    const { literal, choice } = bound(this.expressions)
    const [first, last] = ranges[0] ?? [0, 0]
    const isPlain = first >= 0x20 && first !== QUOTE && first !== BACKSLASH && !isSurrogate(first)
    if (ranges.length === 1 && first === last && isPlain) return literal(String.fromCodePoint(first))
    this.expressions.budget.spend(16 + 8 * ranges.length)
    const escaped = SHORT_ESCAPES.filter(([, code]) => common(ranges, [[code, code]]).length > 0)
    return choice(oneOf(this.expressions, common(ranges, PLAIN)), ...escaped.map(([letter]) => literal(`\\${letter}`)))
  }

  /** A number; with bounds, digit by digit within them. */
  number(bounds: BoundedNumber | undefined, integer: boolean): Expression {
    if (bounds !== undefined) return this.expressions.number(bounds)
    const { bytes, literal, choice, sequence, repeat, optional } = bound(this.expressions)
    const digit = bytes([[0x30, 0x39]])
    const whole = choice(literal('0'), sequence(bytes([[0x31, 0x39]]), repeat(digit, 0, DIGITS_MAX - 1)))
    const signed = sequence(optional(literal('-')), whole)
    if (integer) return signed
    const sign = bytes([
      [0x2b, 0x2b],
      [0x2d, 0x2d]
    ])
    const letter = bytes([
      [0x45, 0x45],
      [0x65, 0x65]
    ])
    const fraction = sequence(literal('.'), repeat(digit, 1, DIGITS_MAX))
    return sequence(signed, optional(fraction), optional(sequence(letter, optional(sign), repeat(digit, 1, 2))))
  }

  /** Exactly this value. */
  value(value: unknown): Expression {
    const { literal, sequence } = bound(this.expressions)
    if (!this.isOwnNotation) return literal(JSON.stringify(value))
    if (typeof value === 'string') return this.text(value)
    if (typeof value === 'boolean' || value === null) return literal(this.word(value))
    if (typeof value !== 'object') return literal(JSON.stringify(value))
    const isList = Array.isArray(value)
    const parts = isList
      ? value.map(item => this.value(item))
      : Object.entries(value).map(([name, item]) => sequence(this.name(name), literal(':'), this.value(item)))
    const all = parts.flatMap((part, index) => (index === 0 ? [part] : [literal(','), part]))
    return sequence(literal(isList ? '[' : '{'), ...all, literal(isList ? ']' : '}'))
  }

  /** Exactly this text. */
  protected text(text: string): Expression {
    return this.expressions.literal(JSON.stringify(text))
  }

  /** How these are called. */
  protected word(value: boolean | null): string {
    return String(value)
  }

  /** One of these values. */
  oneOfValues(values: readonly unknown[]): Expression {
    if (this.isOwnNotation) return this.expressions.choice(values.map(value => this.value(value)))
    const texts = new Set(values.map(value => JSON.stringify(value)))
    return this.#oneOfTexts(
      [...texts].map(text => utf8.encode(text)),
      0
    )
  }

  /** Values may be written otherwise than as JSON. */
  protected get isOwnNotation(): boolean {
    return false
  }

  /** As a tree over their bytes: a step then looks at one branch and not at every text. */
  #oneOfTexts(texts: readonly Uint8Array[], at: number): Expression {
    const [first] = texts
    if (first === undefined) return this.expressions.dead
    this.expressions.budget.spend(texts.length)
    if (texts.length === 1) return this.expressions.literal(first.subarray(at))
    let same = at
    while (same < first.length && texts.every(text => text[same] === first[same])) {
      this.expressions.budget.spend(texts.length)
      same++
    }
    const ended = texts.some(text => text.length === same)
    const byNext = Map.groupBy(
      texts.filter(text => text.length > same),
      text => text[same] ?? 0
    )
    const branches = [...byNext].map(([byte, group]) =>
      this.expressions.pair(this.expressions.byteIn([[byte, byte]]), this.#oneOfTexts(group, same + 1))
    )
    const rest = this.expressions.choice([...branches, ended ? this.expressions.empty : this.expressions.dead])
    return this.expressions.pair(this.expressions.literal(first.subarray(at, same)), rest)
  }

  /** Any object. */
  anyObject(): Expression {
    return this.object([], this.member(this.string(), this.anyValue))
  }

  anyArray(): Expression {
    return this.array({ prefix: [], rest: this.anyValue, min: 0, max: Number.POSITIVE_INFINITY })
  }

  #any(): Expression {
    const { literal, choice } = bound(this.expressions)
    const words = [true, false, null].map(value => literal(this.word(value)))
    return choice(this.anyObject(), this.anyArray(), this.string(), this.number(undefined, false), ...words)
  }

  /** A quoted name that is none of `names`. */
  otherName(names: readonly string[]): Expression {
    return names.length === 0 ? this.string() : this.plainName(names)
  }

  /** The same without escapes, so that it cannot be written in two ways. */
  plainName(names: readonly string[]): Expression {
    return otherName(this, names)
  }
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff
}

/** What follows a backslash. Halves of surrogate pairs are left out: such characters are written as they are. */
function escapes(expressions: Expressions): Expression {
  const { bytes, literal, choice, sequence } = bound(expressions)
  const letters = [...SHORT_ESCAPES.map(([letter]) => literal(letter)), literal('/')]
  const hex = bytes([
    [0x30, 0x39],
    [0x41, 0x46],
    [0x61, 0x66]
  ])
  const notD = bytes([
    [0x30, 0x39],
    [0x41, 0x43],
    [0x45, 0x46],
    [0x61, 0x63],
    [0x65, 0x66]
  ])
  const d = bytes([
    [0x44, 0x44],
    [0x64, 0x64]
  ])
  const low = bytes([[0x30, 0x37]])
  const code = choice(sequence(notD, hex, hex, hex), sequence(d, low, hex, hex))
  return choice(...letters, sequence(literal('u'), code))
}

/** The factory's methods as plain functions, so that grammars read like grammars. */
function bound(expressions: Expressions) {
  return {
    bytes: (ranges: ByteRanges) => expressions.byteIn(ranges),
    literal: (text: string) => expressions.literal(text),
    choice: (...options: readonly Expression[]) => expressions.choice(options),
    sequence: (...parts: readonly Expression[]) => expressions.sequence(parts),
    repeat: expressions.repeat.bind(expressions),
    optional: expressions.optional.bind(expressions)
  }
}
