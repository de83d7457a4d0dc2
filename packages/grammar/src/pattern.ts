import { CLASSES, CONTROLS, LINE_ENDS } from './character-classes.ts'
import { ANY_CHARACTER, CODE_POINT_MAX, type CodePoints, normalized, without } from './characters.ts'
import { meet } from './derivative.ts'
import type { Expression, Expressions } from './expression.ts'
import { counted, isSingle, type PatternPart, PatternRefusal, type StringContent, single } from './pattern-part.ts'
import { unicodeClass } from './unicode-class.ts'

/** Largest count in `{n,m}`. */
const COUNT_MAX = 1000
const DEPTH_MAX = 32

/** How the characters of a text are written. */
export interface PatternAlphabet {
  readonly expressions: Expressions
  readonly anyCharacter: Expression
  literal(text: string): Expression
  /** One character out of these. */
  characterOf(ranges: CodePoints): Expression
}

/**
 * The content of a JSON string that an ECMAScript pattern accepts (as `pattern` in JSON Schema: anywhere in the text,
 * unless `^` and `$` say otherwise).
 *
 * @throws PatternRefusal naming what in the pattern cannot be followed
 */
export function patternContent(alphabet: PatternAlphabet, source: string): StringContent {
  return new PatternReader(alphabet, source).read()
}

/**
 * The texts that a pattern accepts from their beginning to their end, whether or not `^` and `$` say so.
 *
 * @throws PatternRefusal naming what in the pattern cannot be followed
 */
export function patternTexts(alphabet: PatternAlphabet, source: string): Expression {
  return new PatternReader(alphabet, source, true).read().expression
}

/** Steps for a class of Unicode, which is looked up among all characters. */
const UNICODE_CLASS_STEPS = 20_000

class PatternReader {
  readonly #alphabet: PatternAlphabet
  /** It is the whole text that must fit, not a part of it. */
  readonly #whole: boolean
  readonly #characters: readonly string[]
  readonly #anything: PatternPart
  readonly #unicodeClasses = new Map<string, CodePoints>()
  #at = 0
  #depth = 0
  /** How deep a `$` ends the whole text: one deeper within what is looked for ahead. */
  #endDepth = 0

  constructor(alphabet: PatternAlphabet, source: string, whole = false) {
    this.#alphabet = alphabet
    this.#whole = whole
    this.#characters = [...source]
    const expression = alphabet.expressions.repeat(alphabet.anyCharacter)
    this.#anything = { expression, positions: 0, shortest: 0, longest: Number.POSITIVE_INFINITY }
  }

  read(): StringContent {
    const options = [this.#anchored()]
    while (this.#take('|')) options.push(this.#anchored())
    if (this.#at < this.#characters.length) throw new PatternRefusal(`"${this.#peek()}" at ${this.#at} has no partner`)
    return this.#choice(options)
  }

  /** One alternative of the whole pattern, with its `^` and `$`, and what a text from its beginning on must be too. */
  #anchored(): PatternPart {
    const anchored = this.#take('^') || this.#whole
    const all: Expression[] = []
    const none: Expression[] = []
    for (; anchored && this.#comes('(?=', '(?!'); ) (this.#comes('(?=') ? all : none).push(this.#ahead().expression)
    const whole = this.#sequence([...(anchored ? [] : [this.#anything]), this.#terms(), this.#wholeEnd()])
    if (all.length + none.length === 0) return whole
    const { expressions } = this.#alphabet
    return { ...whole, expression: meet(expressions, [whole.expression, ...all], expressions.choice(none)) }
  }

  /** What `(?=…)` or `(?!…)` looks for, with whatever comes behind it. */
  #ahead(): PatternPart {
    const start = this.#at
    this.#at += 3
    const outside = this.#endDepth
    this.#endDepth = ++this.#depth
    if (this.#depth > DEPTH_MAX) throw new PatternRefusal(`groups are nested deeper than ${DEPTH_MAX}`)
    const options: PatternPart[] = []
    do {
      // it begins where the text does anyway
      this.#take('^')
      options.push(this.#sequence([this.#terms(), this.#end()]))
    } while (this.#take('|'))
    this.#depth--
    this.#endDepth = outside
    if (!this.#take(')')) throw new PatternRefusal(`the group at ${start} has no end`)
    return this.#choice(options)
  }

  /** The end of an alternative of the whole pattern. */
  #wholeEnd(): PatternPart {
    const end = this.#end()
    return this.#whole ? this.#sequence([]) : end
  }

  #end(): PatternPart {
    return this.#take('$') ? this.#sequence([]) : this.#anything
  }

  #alternatives(): PatternPart {
    if (++this.#depth > DEPTH_MAX) throw new PatternRefusal(`groups are nested deeper than ${DEPTH_MAX}`)
    const options = [this.#terms()]
    while (this.#take('|')) options.push(this.#terms())
    this.#depth--
    return this.#choice(options)
  }

  #choice(options: readonly PatternPart[]): PatternPart {
    return {
      expression: this.#alphabet.expressions.choice(options.map(({ expression }) => expression)),
      positions: counted(options),
      shortest: options.reduce((least, { shortest }) => Math.min(least, shortest), Number.POSITIVE_INFINITY),
      longest: options.reduce((most, { longest }) => Math.max(most, longest), 0)
    }
  }

  #sequence(parts: readonly PatternPart[]): PatternPart {
    return {
      expression: this.#alphabet.expressions.sequence(parts.map(({ expression }) => expression)),
      positions: counted(parts),
      shortest: parts.reduce((sum, { shortest }) => sum + shortest, 0),
      longest: parts.reduce((sum, { longest }) => sum + longest, 0)
    }
  }

  #terms(): PatternPart {
    const terms: PatternPart[] = []
    for (;;) {
      const next = this.#peek()
      if (next === undefined || next === '|' || next === ')') break
      // the end of the whole text is its caller's
      const ends = this.#depth === 0 ? '|' : '|)'
      if (next === '$' && this.#depth === this.#endDepth && ends.includes(this.#characters[this.#at + 1] ?? '|')) break
      terms.push(this.#quantified(this.#atom()))
    }
    return this.#sequence(terms)
  }

  #quantified(item: PatternPart): PatternPart {
    const range = this.#quantifier()
    if (range === undefined) return item
    // whether it takes much or little first makes no difference to what is accepted
    this.#take('?')
    const { min, max } = range
    const expression = this.#alphabet.expressions.repeat(item.expression, min, max)
    return {
      expression,
      positions: counted([item], Number.isFinite(max) ? max : Math.max(1, min)),
      shortest: min * item.shortest,
      longest: max === 0 || item.longest === 0 ? 0 : max * item.longest
    }
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

  #atom(): PatternPart {
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

  #character(ranges: CodePoints): PatternPart {
    const expression = this.#alphabet.expressions.markCharacter(this.#alphabet.characterOf(ranges))
    return { expression, positions: 1, shortest: 1, longest: 1 }
  }

  #group(start: number): PatternPart {
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
      this.#alphabet.expressions.budget.spend(1 + from.length)
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
    if (next === 'p' || next === 'P') return this.#unicodeClass(next === 'P')
    if (next === 'x') return this.#hexadecimal(/^([0-9a-fA-F]{2})/)
    if (next === 'u') return this.#hexadecimal(/^(?:([0-9a-fA-F]{4})|\{([0-9a-fA-F]{1,6})\})/)
    if (/[A-Za-z1-9]/.test(next)) throw new PatternRefusal(`"\\${next}" cannot be followed`)
    return single(next)
  }

  #unicodeClass(negated: boolean): CodePoints {
    const [whole, name = ''] = /^\{([^}]*)\}/.exec(this.#characters.slice(this.#at, this.#at + 90).join('')) ?? []
    const ranges = whole === undefined ? undefined : (this.#unicodeClasses.get(name) ?? this.#lookedUp(name))
    if (whole === undefined || ranges === undefined) throw new PatternRefusal('a class of Unicode has no known name')
    this.#at += [...whole].length
    return negated ? without(ANY_CHARACTER, ranges) : ranges
  }

  #lookedUp(name: string): CodePoints | undefined {
    this.#alphabet.expressions.budget.spend(UNICODE_CLASS_STEPS)
    const ranges = unicodeClass(name)
    if (ranges !== undefined) this.#unicodeClasses.set(name, ranges)
    return ranges
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

  #comes(...texts: readonly string[]): boolean {
    return texts.some(text => [...text].every((character, at) => this.#characters[this.#at + at] === character))
  }

  #take(character: string): boolean {
    if (this.#characters[this.#at] !== character) return false
    this.#at++
    return true
  }
}
