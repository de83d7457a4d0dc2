import { COMMON_TERMINALS } from './lark-terminals.ts'
import { type LarkToken, larkTokens } from './lark-tokens.ts'
import { anyCase, casesOf, codesOf } from './letter-case.ts'
import { type PatternAlphabet, patternTexts } from './pattern.ts'
import { PatternRefusal } from './pattern-part.ts'
import { COUNT_MAX, GrammarRefusal, RULE_DEPTH_MAX, RULE_NAME_CHARACTERS_MAX, type RuleNode } from './rule-node.ts'

/** The rule that is a whole text, with what is ignored before it. */
export const LARK_ROOT = '%start'
const IGNORED = '%ignore'
const START = 'start'
const CONTROLS: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f', v: '\v', b: '\b' }

/** Whether a grammar is in Lark, and not in GBNF: it defines rules by `:`, or has directives, and none by `::=`. */
export function isLark(source: string): boolean {
  return !/^[ \t]*[\w-]+\s*::=/m.test(source) && /^[ \t]*(?:%[a-z]|[?!]{0,2}[A-Za-z_]\w*(?:\.\d+)?\s*:)/m.test(source)
}

/**
 * The rules of a grammar in Lark. It is followed by its characters, without a lexer: a text is one that can be parted into terminals in
 * some way, so priorities make no difference. What is ignored may stand before the first terminal and behind each.
 *
 * @throws GrammarRefusal naming the line
 */
export function larkRules(alphabet: PatternAlphabet, source: string): ReadonlyMap<string, RuleNode> {
  return new LarkReader(alphabet, source).read()
}

class LarkReader {
  readonly #alphabet: PatternAlphabet
  readonly #tokens: readonly LarkToken[]
  readonly #ignores: boolean
  readonly #rules = new Map<string, RuleNode>()
  readonly #ignored: RuleNode[] = []
  #at = 0
  #depth = 0
  /** What is read now is a terminal: nothing is ignored within. */
  #inTerminal = false

  constructor(alphabet: PatternAlphabet, source: string) {
    this.#alphabet = alphabet
    this.#tokens = larkTokens(source, alphabet.expressions.budget)
    this.#ignores = this.#tokens.some(({ text }) => text === IGNORED)
  }

  read(): ReadonlyMap<string, RuleNode> {
    while (this.#peek() !== undefined) {
      if (this.#takeType('line end') !== undefined) continue
      const directive = this.#takeType('directive')
      if (directive === undefined) this.#definition()
      else this.#directive(directive)
      const next = this.#peek()
      if (next !== undefined && next.type !== 'line end') throw this.#refusal(`"${next.text}" has no place`)
    }
    if (!this.#rules.has(START)) throw new GrammarRefusal(`has no rule "${START}"`)
    if (this.#ignores) {
      const item = choiceOf(this.#ignored)
      this.#rules.set(IGNORED, { type: 'repeat', item, min: 0, max: Number.POSITIVE_INFINITY })
    }
    this.#rules.set(LARK_ROOT, sequenceOf([...this.#behind(), { type: 'rule', name: START, line: 1 }]))
    return this.#rules
  }

  #directive(directive: string): void {
    if (directive === IGNORED) {
      this.#inTerminal = true
      this.#ignored.push(this.#choice())
    } else if (directive === '%import') this.#import()
    else throw this.#refusal(`"${directive}" is not served`)
  }

  #import(): void {
    const module = this.#takeType('name')
    if (module !== 'common') throw this.#refusal('only terminals of "common" can be imported')
    if (this.#take('.')) {
      const name = this.#takeType('name') ?? ''
      this.#define(this.#take('->') ? (this.#takeType('name') ?? '') : name, this.#common(name))
      return
    }
    if (!this.#take('(')) throw this.#refusal('an import names no terminal')
    do {
      const name = this.#takeType('name') ?? ''
      this.#define(name, this.#common(name))
    } while (this.#take(','))
    if (!this.#take(')')) throw this.#refusal('an import has no end')
  }

  #common(name: string): RuleNode {
    const pattern = Object.hasOwn(COMMON_TERMINALS, name) ? COMMON_TERMINALS[name] : undefined
    if (pattern === undefined) throw this.#refusal(`"common" has no terminal "${name}" that is served`)
    return { type: 'texts', texts: patternTexts(this.#alphabet, pattern) }
  }

  #definition(): void {
    // how a tree is made of what was read, which nobody does here
    while (this.#take('?') || this.#take('!'));
    const name = this.#takeType('name')
    if (name === undefined) throw this.#refusal('a rule begins with its name')
    if (this.#take('.')) this.#number()
    if (!this.#take(':')) throw this.#refusal(`":" follows "${name}"; templates and attributes are not served`)
    this.#inTerminal = isTerminal(name)
    this.#define(name, withoutLeftRecursion(name, this.#choice()))
  }

  #define(name: string, node: RuleNode): void {
    if (name === '' || name.length > RULE_NAME_CHARACTERS_MAX) {
      throw this.#refusal(`a name has 1 to ${RULE_NAME_CHARACTERS_MAX} characters`)
    }
    if (this.#rules.has(name)) throw this.#refusal(`"${name}" is there twice`)
    this.#rules.set(name, node)
  }

  #choice(): RuleNode {
    if (++this.#depth > RULE_DEPTH_MAX) throw this.#refusal(`groups are nested deeper than ${RULE_DEPTH_MAX}`)
    const options = [this.#sequence()]
    while (this.#take('|')) options.push(this.#sequence())
    this.#depth--
    return choiceOf(options)
  }

  #sequence(): RuleNode {
    const parts: RuleNode[] = []
    for (;;) {
      this.#alphabet.expressions.budget.spend(4)
      // within a group a line has no end
      while (this.#depth > 1 && this.#takeType('line end') !== undefined);
      const next = this.#peek()
      if (next === undefined || next.type === 'line end' || ['|', ')', ']'].includes(next.text)) break
      if (this.#take('->')) {
        this.#takeType('name')
        continue
      }
      const atom = this.#atom()
      const range = this.#count()
      parts.push(range === undefined ? atom : { type: 'repeat', item: atom, ...range })
    }
    return sequenceOf(parts)
  }

  #count(): { min: number; max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Number.POSITIVE_INFINITY }
    if (this.#take('+')) return { min: 1, max: Number.POSITIVE_INFINITY }
    if (this.#take('?')) return { min: 0, max: 1 }
    if (!this.#take('~')) return undefined
    const min = this.#number()
    const max = this.#take('..') ? this.#number() : min
    if (max < min || max > COUNT_MAX) throw this.#refusal(`a count is from 0 to ${COUNT_MAX}`)
    return { min, max }
  }

  #atom(): RuleNode {
    if (this.#take('(')) return this.#group(')')
    if (this.#take('[')) return { type: 'repeat', item: this.#group(']'), min: 0, max: 1 }
    const next = this.#peek()
    if (next?.type === 'text') return this.#terminal(this.#quoted())
    if (next?.type === 'pattern') return this.#terminal(this.#pattern())
    if (next?.type !== 'name') throw this.#refusal(`"${next?.text ?? ''}" has no place`)
    this.#at++
    const node: RuleNode = { type: 'rule', name: next.text, line: next.line }
    if (isTerminal(next.text)) return this.#terminal(node)
    if (this.#inTerminal) throw this.#refusal(`a terminal is made of the rule "${next.text}"`)
    return node
  }

  #group(end: ')' | ']'): RuleNode {
    const inner = this.#choice()
    if (!this.#take(end)) throw this.#refusal('a group has no end')
    return inner
  }

  #terminal(node: RuleNode): RuleNode {
    return this.#inTerminal || !this.#ignores ? node : sequenceOf([node, ...this.#behind()])
  }

  #behind(): RuleNode[] {
    return this.#ignores ? [{ type: 'rule', name: IGNORED, line: 1 }] : []
  }

  /** A text, whatever its case where it ends with `i`, or a range of characters. */
  #quoted(): RuleNode {
    const written = this.#takeType('text') ?? ''
    const text = this.#unescaped(written.slice(1, written.lastIndexOf('"')))
    if (!this.#take('..')) {
      if (!written.endsWith('i')) return { type: 'literal', text }
      return sequenceOf([...text].map(letter => ({ type: 'character', ranges: casesOf(codesOf(letter)) })))
    }
    const last = this.#takeType('text') ?? ''
    const [[from] = [0], [to] = [0]] = [codesOf(text)[0], codesOf(this.#unescaped(last.slice(1, -1)))[0]]
    if ([...text].length !== 1 || to < from) throw this.#refusal('a range is from one character to a later one')
    return { type: 'character', ranges: [[from, to]] }
  }

  #pattern(): RuleNode {
    const written = this.#takeType('pattern') ?? ''
    const end = written.lastIndexOf('/')
    const flags = written.slice(end + 1)
    const unknown = /[^iu]/.exec(flags)?.[0]
    if (unknown !== undefined) throw this.#refusal(`the flag "${unknown}" of a pattern is not served`)
    const alphabet = flags.includes('i') ? anyCase(this.#alphabet) : this.#alphabet
    try {
      return { type: 'texts', texts: patternTexts(alphabet, written.slice(1, end)) }
    } catch (error) {
      if (error instanceof PatternRefusal) throw this.#refusal(`of a pattern: ${error.message}`)
      throw error
    }
  }

  #unescaped(written: string): string {
    return written.replaceAll(
      /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gsu,
      (whole, x, u, U, other) => {
        const digits: string | undefined = x ?? u ?? U
        if (digits === undefined) {
          const control = CONTROLS[other]
          if (control !== undefined) return control
          if (/[A-Za-z0-9]/.test(other)) throw this.#refusal(`"${whole}" cannot be followed`)
          return other
        }
        const code = Number.parseInt(digits, 16)
        if (code > 0x10_ffff || (code >= 0xd800 && code <= 0xdfff)) throw this.#refusal('an escape has no code')
        return String.fromCodePoint(code)
      }
    )
  }

  #number(): number {
    const text = this.#takeType('number')
    const value = Number(text)
    if (text === undefined || value > COUNT_MAX) throw this.#refusal(`a number is from 0 to ${COUNT_MAX}`)
    return value
  }

  #refusal(problem: string): GrammarRefusal {
    const line = (this.#peek() ?? this.#tokens.at(-1))?.line ?? 1
    return new GrammarRefusal(`is no grammar that can be held to: ${problem}, in line ${line}`)
  }

  #peek(): LarkToken | undefined {
    return this.#tokens[this.#at]
  }

  #take(sign: string): boolean {
    const next = this.#peek()
    if (next?.type !== 'sign' || next.text !== sign) return false
    this.#at++
    return true
  }

  #takeType(type: LarkToken['type']): string | undefined {
    const next = this.#peek()
    if (next?.type !== type) return undefined
    this.#at++
    return next.text
  }
}

function isTerminal(name: string): boolean {
  return /^_*[A-Z]/.test(name)
}

function choiceOf(options: readonly RuleNode[]): RuleNode {
  const [only] = options
  return options.length === 1 && only !== undefined ? only : { type: 'choice', options }
}

function sequenceOf(parts: readonly RuleNode[]): RuleNode {
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only : { type: 'sequence', parts }
}

/** `a: a x | y` as `y x*`, which has the same texts. */
function withoutLeftRecursion(name: string, node: RuleNode): RuleNode {
  const options = node.type === 'choice' ? node.options : [node]
  const rests: RuleNode[] = []
  const others: RuleNode[] = []
  for (const option of options) {
    const [first, ...rest] = option.type === 'sequence' ? option.parts : [option]
    if (first?.type === 'rule' && first.name === name) rests.push(sequenceOf(rest))
    else others.push(option)
  }
  if (rests.length === 0 || others.length === 0) return node
  const further: RuleNode = { type: 'repeat', item: choiceOf(rests), min: 0, max: Number.POSITIVE_INFINITY }
  return { type: 'sequence', parts: [choiceOf(others), further] }
}
