import { ANY_CHARACTER, CODE_POINT_MAX, type CodePoints, normalized, without } from './characters.ts'
import type { Expression } from './expression.ts'
import type { JsonText } from './json-text.ts'
import { PATTERN_POSITIONS_MAX } from './limits.ts'

/** Largest count in `{n,m}`. */
const COUNT_MAX = 1000
const DEPTH_MAX = 32

/** A pattern that is no pattern, or one that no automaton of characters can follow. */
export class PatternRefusal extends Error {}

const DIGIT: CodePoints = [[0x30, 0x39]]
const WORD: CodePoints = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a]
]
const SPACE: CodePoints = normalized([
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff]
])
const LINE_ENDS: CodePoints = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029]
]
const CLASSES: Readonly<Record<string, CodePoints>> = {
  d: DIGIT,
  D: without(ANY_CHARACTER, DIGIT),
  w: WORD,
  W: without(ANY_CHARACTER, WORD),
  s: SPACE,
  S: without(ANY_CHARACTER, SPACE)
}
const CONTROLS: Readonly<Record<string, number>> = { t: 0x09, n: 0x0a, v: 0x0b, f: 0x0c, r: 0x0d, '0': 0 }

/**
 * The content of a JSON string that an ECMAScript pattern accepts (as `pattern` in JSON Schema: anywhere in the text,
 * unless `^` and `$` say otherwise).
 *
 * @throws PatternRefusal naming what in the pattern cannot be followed
 */
export function patternContent(json: JsonText, source: string): Expression {
  return new PatternReader(json, source).read()
}

/** A part of a pattern, and how many characters it has when all that is counted is written out. */
interface Part {
  readonly expression: Expression
  readonly positions: number
}

class PatternReader {
  readonly #json: JsonText
  readonly #characters: readonly string[]
  readonly #anything: Expression
  #at = 0
  #depth = 0

  constructor(json: JsonText, source: string) {
    this.#json = json
    this.#characters = [...source]
    this.#anything = json.expressions.repeat(json.characterOf(ANY_CHARACTER))
  }

  read(): Expression {
    const options = [this.#anchored()]
    while (this.#take('|')) options.push(this.#anchored())
    if (this.#at < this.#characters.length) throw new PatternRefusal(`"${this.#peek()}" at ${this.#at} has no partner`)
    return this.#json.expressions.choice(options)
  }

  /** One alternative of the whole pattern, with its `^` and `$`. */
  #anchored(): Expression {
    const { expressions } = this.#json
    const start = this.#take('^') ? expressions.empty : this.#anything
    const { expression: content } = this.#terms()
    const end = this.#take('$') ? expressions.empty : this.#anything
    return expressions.sequence([start, content, end])
  }

  #alternatives(): Part {
    if (++this.#depth > DEPTH_MAX) throw new PatternRefusal(`groups are nested deeper than ${DEPTH_MAX}`)
    const options = [this.#terms()]
    while (this.#take('|')) options.push(this.#terms())
    this.#depth--
    return {
      expression: this.#json.expressions.choice(options.map(({ expression }) => expression)),
      positions: counted(options)
    }
  }

  #terms(): Part {
    const terms: Part[] = []
    for (;;) {
      const next = this.#peek()
      if (next === undefined || next === '|' || next === ')') break
      // the end of the whole pattern is its caller's
      if (next === '$' && this.#depth === 0 && '|'.includes(this.#characters[this.#at + 1] ?? '|')) break
      terms.push(this.#quantified(this.#atom()))
    }
    return {
      expression: this.#json.expressions.sequence(terms.map(({ expression }) => expression)),
      positions: counted(terms)
    }
  }

  #quantified(item: Part): Part {
    const range = this.#quantifier()
    if (range === undefined) return item
    // whether it takes much or little first makes no difference to what is accepted
    this.#take('?')
    const { min, max } = range
    const expression = this.#json.expressions.repeat(item.expression, min, max)
    return { expression, positions: counted([item], Number.isFinite(max) ? max : Math.max(1, min)) }
  }

  #quantifier(): { min: number; max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Number.POSITIVE_INFINITY }
    if (this.#take('+')) return { min: 1, max: Number.POSITIVE_INFINITY }
    if (this.#take('?')) return { min: 0, max: 1 }
    if (this.#peek() !== '{') return undefined
    const rest = this.#characters.slice(this.#at, this.#at + 16).join('')
    const [whole, min, comma, max] = /^\{(\d+)(,?)(\d*)\}/.exec(rest) ?? []
    if (whole === undefined) throw new PatternRefusal(`"{" at ${this.#at} begins no count`)
    this.#at += whole.length
    const least = Number(min)
    const most = comma === '' ? least : max === '' ? Number.POSITIVE_INFINITY : Number(max)
    if (least > COUNT_MAX || (Number.isFinite(most) && most > COUNT_MAX) || most < least) {
      throw new PatternRefusal(`the count ${whole} is not one from 0 to ${COUNT_MAX}`)
    }
    return { min: least, max: most }
  }

  #atom(): Part {
    const start = this.#at
    const next = this.#characters[this.#at++] ?? ''
    if (next === '(') return this.#group(start)
    if (next === '[') return this.#character(this.#set())
    if (next === '.') return this.#character(without(ANY_CHARACTER, LINE_ENDS))
    if (next === '\\') return this.#character(this.#escaped())
    if ('^$'.includes(next)) throw new PatternRefusal(`"${next}" at ${start} is not at an end of the pattern`)
    if ('*+?{}]'.includes(next)) throw new PatternRefusal(`"${next}" at ${start} stands alone`)
    return this.#character(single(next))
  }

  #character(ranges: CodePoints): Part {
    return { expression: this.#json.characterOf(ranges), positions: 1 }
  }

  #group(start: number): Part {
    if (this.#take('?')) {
      const named = /^<[A-Za-z_$][\w$]*>/.exec(this.#characters.slice(this.#at, this.#at + 64).join(''))?.[0]
      if (named !== undefined) this.#at += named.length
      else if (!this.#take(':')) throw new PatternRefusal(`the group at ${start} looks ahead or behind`)
    }
    const inner = this.#alternatives()
    if (!this.#take(')')) throw new PatternRefusal(`the group at ${start} has no end`)
    return inner
  }

  #set(): CodePoints {
    const start = this.#at - 1
    const negated = this.#take('^')
    const ranges: (readonly [number, number])[] = []
    while (!this.#take(']')) {
      if (this.#at >= this.#characters.length) throw new PatternRefusal(`the set at ${start} has no end`)
      const from = this.#setMember()
      this.#json.expressions.budget.spend(1 + from.length)
      const isRange = this.#peek() === '-' && this.#characters[this.#at + 1] !== ']'
      if (!isRange) {
        ranges.push(...from)
        continue
      }
      this.#at++
      const to = this.#setMember()
      const [first, last] = [from[0]?.[0] ?? 0, to[0]?.[0] ?? 0]
      if (!isSingle(from) || !isSingle(to) || last < first) {
        throw new PatternRefusal(`the set at ${start} has a range without order`)
      }
      ranges.push([first, last])
    }
    return negated ? without(ANY_CHARACTER, ranges) : normalized(ranges)
  }

  #setMember(): CodePoints {
    const next = this.#characters[this.#at++] ?? ''
    if (next !== '\\') return single(next)
    // inside a set it is a backspace
    return this.#take('b') ? single('\b') : this.#escaped()
  }

  #escaped(): CodePoints {
    const next = this.#characters[this.#at++]
    if (next === undefined) throw new PatternRefusal('it ends with a backslash')
    const known = CLASSES[next]
    if (known !== undefined) return known
    const control = CONTROLS[next]
    if (control !== undefined) return [[control, control]]
    if (next === 'x') return this.#hexadecimal(/^([0-9a-fA-F]{2})/)
    if (next === 'u') return this.#hexadecimal(/^(?:([0-9a-fA-F]{4})|\{([0-9a-fA-F]{1,6})\})/)
    if (/[A-Za-z1-9]/.test(next)) throw new PatternRefusal(`"\\${next}" cannot be followed`)
    return single(next)
  }

  #hexadecimal(form: RegExp): CodePoints {
    const [whole, digits, braced] = form.exec(this.#characters.slice(this.#at, this.#at + 8).join('')) ?? []
    const code = Number.parseInt(digits ?? braced ?? '', 16)
    if (whole === undefined || !(code <= CODE_POINT_MAX)) throw new PatternRefusal('an escape has no code')
    this.#at += whole.length
    return [[code, code]]
  }

  #peek(): string | undefined {
    return this.#characters[this.#at]
  }

  #take(character: string): boolean {
    if (this.#characters[this.#at] !== character) return false
    this.#at++
    return true
  }
}

/** @throws PatternRefusal when there are too many characters to write out */
function counted(parts: readonly Part[], times = 1): number {
  const positions = times * parts.reduce((sum, part) => sum + part.positions, 0)
  if (positions > PATTERN_POSITIONS_MAX) {
    throw new PatternRefusal(
      `its counts come to ${positions} characters, at most ${PATTERN_POSITIONS_MAX} are followed`
    )
  }
  return positions
}

function single(character: string): CodePoints {
  const code = character.codePointAt(0) ?? 0
  return [[code, code]]
}

function isSingle(ranges: CodePoints): boolean {
  return ranges.length === 1 && ranges[0]?.[0] === ranges[0]?.[1]
}
