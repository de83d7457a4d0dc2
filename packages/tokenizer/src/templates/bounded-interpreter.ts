import { type Environment, Interpreter } from '@huggingface/jinja'
import { containerNodes } from './template-values.ts'

/** A template did more than a template has to do. */
export class TemplateTooLong extends Error {}

/** What an expression came to; of lists and texts the length counts. */
export interface RuntimeValue {
  readonly type: string
  readonly value: unknown
  readonly builtins: ReadonlyMap<string, RuntimeValue>
}

type NativeFunction = (values: RuntimeValue[], environment: unknown) => RuntimeValue
type FunctionClass = new (native: NativeFunction) => RuntimeValue

interface SyntaxNode {
  readonly type: string
}

interface FilterNode extends SyntaxNode {
  readonly callee?: { readonly value?: unknown }
  readonly value?: unknown
  readonly args?: readonly SyntaxNode[]
}

interface BinaryNode extends SyntaxNode {
  readonly operator: { readonly value: unknown }
  readonly left: unknown
  readonly right: unknown
}

interface Evaluator {
  evaluateBinaryExpression(node: BinaryNode, environment: unknown): RuntimeValue
  run(program: unknown): RuntimeValue
  evaluate(statement: unknown, environment: unknown): RuntimeValue
  evaluateBlock(statements: readonly unknown[], environment: unknown): RuntimeValue
  evaluateMemberExpression(member: { readonly object: unknown }, environment: unknown): RuntimeValue
  evaluateArguments(args: readonly SyntaxNode[], environment: unknown): [RuntimeValue[], Map<string, RuntimeValue>]
  applyFilter(operand: RuntimeValue, filter: FilterNode, environment: unknown): RuntimeValue
}

/** The library's class, whose own types name modules that do not resolve. */
const LibraryInterpreter: new (environment: Environment) => Evaluator = Interpreter

/** Characters that are worth one step. */
const CHARACTERS_PER_STEP = 64
/** Entries of a list that is only mentioned that are worth one step. */
const MENTIONED_PER_STEP = 64
/** A turn of a loop, or another block: it gets variables of its own. */
const BLOCK_STEPS = 4
/** Widest indentation that a filter may ask for. */
const INDENT_MAX = 64

/** How much a template may do. */
export interface RenderBudget {
  /** Expressions, entries of lists, and characters by the hundred. */
  readonly steps: number
  /** Of any text on the way, as of the prompt. */
  readonly characters: number
  /** Pieces that a text is split into. */
  readonly pieces: number
  /** Values inside a list or an object, counted as often as they would be written. */
  readonly nodes: number
}

/** Stands in the syntax tree for an expression that has been evaluated. */
class Evaluated implements SyntaxNode {
  readonly type = 'Evaluated'
  readonly result: RuntimeValue

  constructor(result: RuntimeValue) {
    this.result = result
  }
}

/**
 * An interpreter that gives up after so many steps: expressions, entries of lists, and characters by the hundred. What one
 * call of a built-in function may make is bounded before it is made.
 *
 * Templates come with models, so one that never ends must not hold whoever renders it. Between two steps the library works
 * alone, on what is no longer than the budget says.
 */
export class BoundedInterpreter extends LibraryInterpreter {
  readonly #budget: RenderBudget
  #steps = 0

  constructor(environment: Environment, budget: RenderBudget) {
    super(environment)
    this.#budget = budget
  }

  override evaluate(statement: unknown, environment: unknown): RuntimeValue {
    if (statement instanceof Evaluated) return statement.result
    // before as well: what calls itself never comes to an end
    this.#charge(1)
    const result = super.evaluate(statement, environment)
    const { value } = result
    if (typeof value === 'string') {
      this.#checkCharacters(value.length)
      this.#charge(Math.floor(value.length / CHARACTERS_PER_STEP))
    } else {
      if (typeof value === 'object' && value !== null) this.#nodesOf(result)
      const entries = Array.isArray(value) ? value.length : 0
      this.#charge(isMention(statement) ? Math.floor(entries / MENTIONED_PER_STEP) : entries)
    }
    return result
  }

  /** Lists and objects are written in full where a text is put behind or before them. */
  override evaluateBinaryExpression(node: BinaryNode, environment: unknown): RuntimeValue {
    if (node.operator.value !== '~' && node.operator.value !== '+') {
      return super.evaluateBinaryExpression(node, environment)
    }
    const operands = [this.evaluate(node.left, environment), this.evaluate(node.right, environment)] as const
    const [left, right] = operands
    if (node.operator.value === '~' || typeof left.value === 'string' || typeof right.value === 'string') {
      for (const operand of operands) this.#charge(this.#nodesOf(operand))
    }
    const evaluated = { ...node, left: new Evaluated(left), right: new Evaluated(right) }
    return super.evaluateBinaryExpression(evaluated, environment)
  }

  /** A block writes its values one after the other; lists and objects are written in full. */
  override evaluateBlock(statements: readonly unknown[], environment: unknown): RuntimeValue {
    let characters = 0
    // a loop around nothing is work too
    this.#charge(BLOCK_STEPS)
    const written = statements.map(statement => {
      let result = this.evaluate(statement, environment)
      if (typeof result.value === 'object' && result.value !== null) {
        this.#charge(this.#nodesOf(result))
        // at once, as a namespace may be another by the end of the block
        result = super.evaluateBlock([new Evaluated(result)], environment)
      }
      if (typeof result.value === 'string') characters += result.value.length
      this.#checkCharacters(characters)
      return new Evaluated(result)
    })
    return super.evaluateBlock(written, environment)
  }

  override evaluateMemberExpression(member: { readonly object: unknown }, environment: unknown): RuntimeValue {
    const object = this.evaluate(member.object, environment)
    const found = super.evaluateMemberExpression({ ...member, object: new Evaluated(object) }, environment)
    const { value: text, builtins } = object
    if (found.type !== 'FunctionValue' || typeof text !== 'string') return found
    if (found === builtins.get('split')) return guarded(found, args => this.#checkSplit(text, args[0]))
    if (found === builtins.get('replace')) return guarded(found, args => this.#checkReplace(text, args[0], args[1]))
    return found
  }

  override applyFilter(operand: RuntimeValue, filter: FilterNode, environment: unknown): RuntimeValue {
    const name = filter.callee?.value ?? filter.value
    const withArguments = filter.args !== undefined && typeof name === 'string' && GUARDED_FILTERS.has(name)
    const args = withArguments ? this.#evaluateOnce(filter.args, environment) : []
    const values = args.flatMap(({ results }) => results)
    if (name === 'tojson' || name === 'indent') for (const value of values) checkIndent(value)
    if (name === 'replace') this.#checkReplace(String(operand.value), values[0], values[1])
    if (name === 'join') this.#checkJoin(operand, values)
    if (name === 'tojson' || name === 'string' || name === 'join' || name === 'unique') {
      this.#charge(this.#nodesOf(operand))
    }
    const same = withArguments ? { ...filter, args: args.map(({ node }) => node) } : filter
    return super.applyFilter(operand, same, environment)
  }

  /** Arguments of a filter as what they come to, so that they can be looked at before the filter has them. */
  #evaluateOnce(args: readonly SyntaxNode[], environment: unknown): { node: SyntaxNode; results: RuntimeValue[] }[] {
    return args.map(node => {
      const inner = 'value' in node && node.type === 'KeywordArgumentExpression' ? node.value : undefined
      if (inner !== undefined) {
        const result = this.evaluate(inner, environment)
        const replaced: SyntaxNode & { value: unknown } = { ...node, value: new Evaluated(result) }
        return { node: replaced, results: [result] }
      }
      if (/Spread/.test(node.type)) throw new Error('a filter takes no arguments out of a list or an object')
      const result = this.evaluate(node, environment)
      return { node: new Evaluated(result), results: [result] }
    })
  }

  #checkSplit(text: string, separator: RuntimeValue | undefined): void {
    const { pieces } = this.#budget
    if (text.length < pieces) return
    const by = typeof separator?.value === 'string' ? separator.value : undefined
    if (occurrences(text, by, pieces) >= pieces) throw new TemplateTooLong(`splits a text into over ${pieces} pieces`)
  }

  #checkReplace(text: string, old: RuntimeValue | undefined, next: RuntimeValue | undefined): void {
    if (typeof old?.value !== 'string' || typeof next?.value !== 'string') return
    const count = old.value === '' ? text.length + 1 : occurrences(text, old.value, text.length)
    this.#checkCharacters(text.length + count * Math.max(0, next.value.length - old.value.length))
  }

  #checkJoin(operand: RuntimeValue, args: readonly RuntimeValue[]): void {
    const parts = Array.isArray(operand.value) ? operand.value : []
    const count = typeof operand.value === 'string' ? operand.value.length : parts.length
    const separator = args.reduce(
      (longest, { value }) => (typeof value === 'string' ? Math.max(longest, value.length) : longest),
      0
    )
    const inner = parts.reduce((sum, { value }) => sum + (typeof value === 'string' ? value.length : 0), 0)
    this.#checkCharacters(inner + count * separator)
  }

  #nodesOf(value: RuntimeValue): number {
    const nodes = containerNodes(value)
    if (nodes > this.#budget.nodes) throw new TemplateTooLong(`makes a value of over ${this.#budget.nodes} values`)
    return nodes
  }

  #checkCharacters(characters: number): void {
    if (characters <= this.#budget.characters) return
    throw new TemplateTooLong(`made a text of ${characters} characters, the limit is ${this.#budget.characters}`)
  }

  #charge(steps: number): void {
    this.#steps += steps
    if (this.#steps > this.#budget.steps) throw new TemplateTooLong(`took more than ${this.#budget.steps} steps`)
  }
}

/** Those whose arguments decide how much they make. */
const GUARDED_FILTERS: ReadonlySet<string> = new Set(['tojson', 'indent', 'replace', 'join'])

/** Nothing is made by naming what there is. */
function isMention(statement: unknown): boolean {
  if (typeof statement !== 'object' || statement === null || !('type' in statement)) return false
  if (statement.type === 'Identifier') return true
  const property = 'property' in statement ? statement.property : undefined
  const slice =
    typeof property === 'object' && property !== null && 'type' in property && property.type === 'SliceExpression'
  return statement.type === 'MemberExpression' && !slice
}

function guarded(found: RuntimeValue, check: (args: RuntimeValue[]) => void): RuntimeValue {
  const native = found.value
  if (!isNative(native) || !isFunctionClass(found.constructor)) return found
  return new found.constructor((args, environment) => {
    check(args)
    return native(args, environment)
  })
}

function isNative(value: unknown): value is NativeFunction {
  return typeof value === 'function'
}

function isFunctionClass(value: unknown): value is FunctionClass {
  return typeof value === 'function'
}

function checkIndent({ value }: RuntimeValue): void {
  const width = typeof value === 'number' ? value : typeof value === 'string' ? value.length : 0
  if (width > INDENT_MAX) throw new Error(`an indentation of ${width}, the limit is ${INDENT_MAX}`)
}

/** How often `part` stands in `text`, or how many words it has; counted up to `max`. */
function occurrences(text: string, part: string | undefined, max: number): number {
  let count = 0
  if (part === undefined) for (const _ of text.matchAll(/\S+/g)) if (++count >= max) break
  if (part === undefined || part === '') return count
  for (let at = text.indexOf(part); at !== -1 && count < max; at = text.indexOf(part, at + part.length)) count++
  return count
}
