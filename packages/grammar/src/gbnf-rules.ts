import type { CodePoints } from './characters.ts'
import { ANY_CHARACTER, normalized, without } from './characters.ts'
import { COUNT_MAX, GrammarRefusal, RULE_DEPTH_MAX, RULE_NAME_CHARACTERS_MAX, type RuleNode } from './rule-node.ts'
import type { WorkBudget } from './work-budget.ts'

const CONTROLS: Readonly<Record<string, string>> = { t: '\t', r: '\r', n: '\n' }
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }

/**
 * The rules of a grammar in GBNF, the form of llama.cpp. Of what that can say, tokens (`<think>`, `<[7]>`) are refused: a grammar
 * here is of texts.
 *
 * @throws GrammarRefusal naming the line
 */
export function gbnfRules(source: string, budget: WorkBudget): ReadonlyMap<string, RuleNode> {
  return new GbnfReader(source, budget).read()
}

class GbnfReader {
  readonly #characters: readonly string[]
  readonly #budget: WorkBudget
  readonly #rules = new Map<string, RuleNode>()
  #at = 0
  #line = 1
  #depth = 0

  constructor(source: string, budget: WorkBudget) {
    this.#characters = [...source]
    this.#budget = budget
  }

  read(): ReadonlyMap<string, RuleNode> {
    this.#space(true)
    while (this.#peek() !== undefined) {
      const name = this.#name()
      if (name === undefined) throw this.#refusal('a rule begins with its name')
      if (this.#rules.has(name)) throw this.#refusal(`rule "${name}" is there twice`)
      this.#space(false)
      if (![':', ':', '='].every(character => this.#take(character))) throw this.#refusal(`"::=" follows "${name}"`)
      this.#space(true)
      this.#rules.set(name, this.#choice())
      const next = this.#peek()
      if (next !== undefined && next !== '\n' && next !== '\r') throw this.#refusal(`"${next}" has no place`)
      this.#space(true)
    }
    return this.#rules
  }

  #choice(): RuleNode {
    if (++this.#depth > RULE_DEPTH_MAX) throw this.#refusal(`groups are nested deeper than ${RULE_DEPTH_MAX}`)
    const options = [this.#sequence()]
    while (this.#take('|')) {
      this.#space(true)
      options.push(this.#sequence())
    }
    this.#depth--
    const [only] = options
    return options.length === 1 && only !== undefined ? only : { type: 'choice', options }
  }

  #sequence(): RuleNode {
    const parts: RuleNode[] = []
    let isRepeated = false
    for (;;) {
      this.#budget.spend(4)
      const next = this.#peek()
      if (next === undefined || '|)\n\r'.includes(next)) break
      const range = this.#quantifier()
      if (range === undefined) parts.push(this.#atom())
      else {
        const item = isRepeated ? undefined : parts.pop()
        if (item === undefined) throw this.#refusal(`"${next}" has nothing to repeat`)
        parts.push({ type: 'repeat', item, ...range })
      }
      isRepeated = range !== undefined
      // within a group a line has no end
      this.#space(this.#depth > 1)
    }
    const [only] = parts
    return parts.length === 1 && only !== undefined ? only : { type: 'sequence', parts }
  }

  #quantifier(): { min: number; max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Number.POSITIVE_INFINITY }
    if (this.#take('+')) return { min: 1, max: Number.POSITIVE_INFINITY }
    if (this.#take('?')) return { min: 0, max: 1 }
    if (this.#peek() !== '{') return undefined
    const rest = this.#characters.slice(this.#at, this.#at + 24).join('')
    const [whole, min, comma, max] = /^\{\s*(\d*)\s*(,?)\s*(\d*)\s*\}/.exec(rest) ?? []
    if (whole === undefined || (min === '' && max === '')) throw this.#refusal('"{" begins no count')
    this.#at += whole.length
    const least = Number(min)
    const most = comma === '' ? least : max === '' ? Number.POSITIVE_INFINITY : Number(max)
    if (least > COUNT_MAX || (Number.isFinite(most) && most > COUNT_MAX) || most < least) {
      throw this.#refusal(`the count ${whole} is not one from 0 to ${COUNT_MAX}`)
    }
    return { min: least, max: most }
  }

  #atom(): RuleNode {
    if (this.#take('"')) return { type: 'literal', text: this.#quoted() }
    if (this.#take('[')) return { type: 'character', ranges: this.#set() }
    if (this.#take('.')) return { type: 'character', ranges: ANY_CHARACTER }
    if (this.#take('(')) {
      this.#space(true)
      const inner = this.#choice()
      if (!this.#take(')')) throw this.#refusal('a group has no end')
      return inner
    }
    const next = this.#peek()
    if (next === '<' || next === '!') throw this.#refusal('tokens cannot be asked for: a grammar here is of texts')
    const line = this.#line
    const name = this.#name()
    if (name === undefined) throw this.#refusal(`"${next}" has no place`)
    return { type: 'rule', name, line }
  }

  #quoted(): string {
    let text = ''
    while (!this.#take('"')) text += this.#character('a text')
    return text
  }

  #set(): CodePoints {
    const negated = this.#take('^')
    const ranges: (readonly [number, number])[] = []
    while (!this.#take(']')) {
      this.#budget.spend(4)
      const first = this.#character('a set').codePointAt(0) ?? 0
      const isRange = this.#peek() === '-' && this.#characters[this.#at + 1] !== ']'
      if (isRange) this.#at++
      const last = isRange ? (this.#character('a set').codePointAt(0) ?? 0) : first
      if (last < first) throw this.#refusal('a set has a range without order')
      ranges.push([first, last])
    }
    return negated ? without(ANY_CHARACTER, ranges) : normalized(ranges)
  }

  /** The next character, which may be an escape. */
  #character(within: string): string {
    const next = this.#peek()
    if (next === undefined || next === '\n' || next === '\r') throw this.#refusal(`${within} has no end`)
    this.#at++
    if (next !== '\\') return next
    const escaped = this.#characters[this.#at++] ?? ''
    const control = CONTROLS[escaped]
    if (control !== undefined) return control
    if (escaped !== '' && '\\"[]-^'.includes(escaped)) return escaped
    const count = HEX_DIGITS[escaped]
    if (count === undefined) throw this.#refusal(`"\\${escaped}" cannot be followed`)
    const digits = this.#characters.slice(this.#at, this.#at + count).join('')
    const code = /^[0-9a-fA-F]+$/.test(digits) && digits.length === count ? Number.parseInt(digits, 16) : -1
    // half of a pair is no character of a text
    if (code < 0 || code > 0x10_ffff || (code >= 0xd800 && code <= 0xdfff)) throw this.#refusal('an escape has no code')
    this.#at += count
    return String.fromCodePoint(code)
  }

  #name(): string | undefined {
    const start = this.#at
    while (/^[\w-]$/.test(this.#peek() ?? '')) this.#at++
    if (this.#at - start > RULE_NAME_CHARACTERS_MAX)
      throw this.#refusal(`a name has more than ${RULE_NAME_CHARACTERS_MAX} characters`)
    return this.#at === start ? undefined : this.#characters.slice(start, this.#at).join('')
  }

  /** White space and comments, over the end of the line where that may come. */
  #space(overLines: boolean): void {
    for (;;) {
      const next = this.#peek()
      if (next === '#') while (!['\n', '\r', undefined].includes(this.#peek())) this.#at++
      else if (next === ' ' || next === '\t' || (overLines && next === '\r')) this.#at++
      else if (overLines && next === '\n') {
        this.#at++
        this.#line++
      } else return
    }
  }

  #refusal(problem: string): GrammarRefusal {
    return new GrammarRefusal(`is no grammar that can be held to: ${problem}, in line ${this.#line}`)
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
