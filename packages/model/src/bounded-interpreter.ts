import { type Environment, Interpreter } from '@huggingface/jinja'

/** A template did more than a template has to do. */
export class TemplateTooLong extends Error {}

/** What an expression came to; of lists and texts the length counts. */
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
 * An interpreter that gives up after so many steps: expressions, entries of lists, and characters by the hundred.
 *
 * Templates come with models, so one that never ends must not hold the event loop. Counting costs next to nothing; a time
 * limit on synchronous work takes a thread for every prompt.
 */
export class BoundedInterpreter extends LibraryInterpreter {
  readonly #stepsMax: number
  #steps = 0

  constructor(environment: Environment, stepsMax: number) {
    super(environment)
    this.#stepsMax = stepsMax
  }

  override evaluate(statement: unknown, environment: unknown): RuntimeValue {
    const result = super.evaluate(statement, environment)
    this.#steps += 1 + weightOf(result.value)
    if (this.#steps > this.#stepsMax) throw new TemplateTooLong(`took more than ${this.#stepsMax} steps`)
    return result
  }
}

function weightOf(value: unknown): number {
  if (typeof value === 'string') return Math.floor(value.length / CHARACTERS_PER_STEP)
  return Array.isArray(value) ? value.length : 0
}
