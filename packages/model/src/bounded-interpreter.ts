import { type Environment, Interpreter } from '@huggingface/jinja'

/** A template did more than a template has to do. */
export class TemplateTooLong extends Error {}

/** How much a template may do. */
export interface RenderBudget {
  /** Expressions, entries of lists, and characters by the hundred. */
  readonly steps: number
  /** Of any one text, and entries of any one list. */
  readonly characters: number
}

/** What an expression came to; of lists, objects and texts the length counts. */
interface RuntimeValue {
  readonly value: unknown
}

interface Evaluator {
  run(program: unknown): RuntimeValue
  evaluate(statement: unknown, environment: unknown): RuntimeValue
}

/** The library's class, whose own types name modules that do not resolve. */
const LibraryInterpreter: new (environment: Environment) => Evaluator = Interpreter

/** Characters that are worth one step. */
const CHARACTERS_PER_STEP = 256

/**
 * An interpreter that gives up after so many steps, or over a text or list that is too long.
 *
 * Templates come with models, so one that never ends must not hold whoever renders it. Between two steps the library works
 * alone: on what is no longer than the budget says, and never so that lengths multiply where {@link multipliesLengths}
 * says so of the template.
 */
export class BoundedInterpreter extends LibraryInterpreter {
  readonly #budget: RenderBudget
  #steps = 0

  constructor(environment: Environment, budget: RenderBudget) {
    super(environment)
    this.#budget = budget
  }

  override evaluate(statement: unknown, environment: unknown): RuntimeValue {
    // before as well: what calls itself never comes to an end
    this.#count(1)
    const result = super.evaluate(statement, environment)
    this.#weigh(result.value)
    return result
  }

  #weigh(value: unknown): void {
    const length = lengthOf(value)
    if (length > this.#budget.characters) {
      throw new TemplateTooLong(`made a value of ${length} parts, the limit is ${this.#budget.characters}`)
    }
    this.#count(typeof value === 'string' ? Math.floor(length / CHARACTERS_PER_STEP) : length)
  }

  #count(steps: number): void {
    this.#steps += steps
    if (this.#steps > this.#budget.steps) throw new TemplateTooLong(`took more than ${this.#budget.steps} steps`)
  }
}

function lengthOf(value: unknown): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length
  return value instanceof Map ? value.size : 0
}

/** Arguments that are written out and short: at most so much longer can each of these make a text. */
const HARMLESS = new RegExp(
  [
    String.raw`\bindent\s*=\s*\d\b`,
    String.raw`\bjoin\b(?!\s*\()`,
    String.raw`\bjoin\s*\(\s*(?:'[^']{0,64}'|"[^"]{0,64}")?\s*\)`,
    String.raw`\breplace\s*\(\s*(?:'[^']{1,64}'|"[^"]{1,64}")\s*,\s*(?:'[^']{0,64}'|"[^"]{0,64}")\s*\)`
  ].join('|'),
  'g'
)

/** Functions of templates that can make a text as long as two lengths multiplied. */
const MULTIPLYING = /\b(?:indent|join|replace)\b/

/** Whether a template calls functions that multiply lengths, so that one step of it has no bound. */
export function multipliesLengths(source: string): boolean {
  return MULTIPLYING.test(source.replace(HARMLESS, ''))
}
