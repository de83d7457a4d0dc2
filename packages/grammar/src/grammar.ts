import {
  type ArgumentNotation,
  HERMES_FORM,
  MeshError,
  type OutputConstraint,
  type SingleConstraint
} from '@resultity/interface'
import { callArguments } from './call-arguments.ts'
import { after } from './derivative.ts'
import { type Expression, Expressions } from './expression.ts'
import { freeTexts } from './free-text.ts'
import { jsonDepth } from './json-depth.ts'
import { JsonText } from './json-text.ts'
import {
  ANSWER_STEPS_MAX,
  COMPILE_STEPS_MAX,
  COMPILED_BYTES_MAX,
  JSON_DEPTH_MAX,
  RELAXED_MAX,
  TOKEN_STEPS_MAX,
  TOOL_CALLS_MAX
} from './limits.ts'
import { marker, preludeTexts } from './prelude.ts'
import { type SchemaDocuments, schemaDocuments } from './schema.ts'
import { SCHEMA_CHARACTERS_MAX } from './schema-keywords.ts'
import { shortPlace, WorkBudget } from './work-budget.ts'

/** A place in a text: what was read decides what may follow. `nullable`: the text may end here. */
export type GrammarState = Expression

/** The texts that satisfy a constraint, byte by byte. */
export class Grammar {
  /** Before the first byte. */
  readonly start: GrammarState
  readonly #expressions: Expressions

  /**
   * @param leadingSpaces that a vocabulary puts before the first word and a decoder takes away: they may come first
   * @param budget for compiling
   * @throws MeshError `invalid_request` naming what in the constraint cannot be enforced or takes too much work
   */
  constructor(constraint: OutputConstraint, leadingSpaces = 0, budget = compileBudget()) {
    const expressions = new Expressions(budget)
    this.#expressions = expressions
    const spaces = expressions.repeat(expressions.literal(' '), 0, leadingSpaces)
    this.start = expressions.pair(spaces, textsOf(expressions, constraint))
    expressions.settle()
    this.work(tokenBudget())
  }

  /** Estimate of the bytes that the grammar takes, including all states that texts have reached so far. */
  get bytes(): number {
    return this.#expressions.bytes
  }

  /** How often states were let go of, so that a state may come again as another one. */
  get forgotten(): number {
    return this.#expressions.forgotten
  }

  /** From here on `budget` pays for what is worked out; a state that was there before costs nothing. */
  work(budget: WorkBudget): void {
    this.#expressions.budget = budget
  }

  /**
   * The state after one more byte; undefined when that byte may not come.
   *
   * @throws MeshError `invalid_request` when the budget is spent; the grammar stays good
   */
  after(state: GrammarState, byte: number): GrammarState | undefined {
    return after(this.#expressions, state, byte)
  }

  /**
   * Whether `text` is in the grammar as a whole.
   *
   * @throws MeshError `invalid_request` when the budget is spent
   */
  accepts(text: string, budget = new WorkBudget('the answer', { steps: ANSWER_STEPS_MAX })): boolean {
    this.work(budget)
    let state: GrammarState | undefined = this.start
    for (const byte of new TextEncoder().encode(text)) {
      if (state === undefined) return false
      state = this.after(state, byte)
    }
    return state?.nullable === true
  }
}

/** What reading a constraint may take. */
export function compileBudget(): WorkBudget {
  return new WorkBudget('the constraint', { steps: COMPILE_STEPS_MAX, bytes: COMPILED_BYTES_MAX })
}

/** What working out one token may take. */
export function tokenBudget(steps = TOKEN_STEPS_MAX): WorkBudget {
  return new WorkBudget("what the answer is held to, at one of the answer's tokens,", { steps })
}

/** Names of a constraint's schemas in errors, and which of them must be enforced in full. */
export interface ConstraintPlaces {
  readonly schema: string
  /** The schema of the function with this index. */
  parameters(index: number): string
  /** Refuses keywords that cannot be enforced instead of relaxing them. Default false. */
  readonly strictSchema?: boolean
  strictParameters?(index: number): boolean
}

/** A keyword that is not enforced: answers may be more than its schema allows. */
export interface RelaxedKeyword {
  /** The function whose parameters it is in; without one it is in the schema of the answer. */
  readonly functionIndex?: number
  /** A JSON pointer into the schema. */
  readonly path: string
}

const OWN_PLACES: ConstraintPlaces = { schema: 'schema', parameters: index => `functions[${index}].parameters` }

/**
 * The keywords of `constraint` that are not enforced.
 *
 * @throws MeshError `invalid_request` naming the place in `constraint` that is no schema, has no document, takes too much
 *   work, or must be enforced and cannot be
 */
export function checkConstraint(
  constraint: OutputConstraint,
  places: ConstraintPlaces = OWN_PLACES,
  budget = compileBudget()
): readonly RelaxedKeyword[] {
  const relaxed: RelaxedKeyword[] = []
  textsOf(new Expressions(budget), constraint, places, relaxed)
  return relaxed
}

function textsOf(
  expressions: Expressions,
  constraint: OutputConstraint,
  places: ConstraintPlaces = OWN_PLACES,
  relaxed: RelaxedKeyword[] = []
): Expression {
  const json = new JsonText(expressions)
  switch (constraint.type) {
    case 'json_object':
      return json.anyObject()
    case 'json_schema':
      return documentsOf(
        json,
        constraint.schema,
        { where: places.schema, strict: places.strictSchema === true },
        relaxed
      )
    case 'regex':
    case 'choice':
    case 'gbnf':
      return freeTexts(expressions, constraint, places.schema)
    case 'any_of':
      return expressions.choice(constraint.options.map(option => textsOf(expressions, option, places, relaxed)))
    case 'preceded': {
      const preludes = constraint.preludes.map(prelude => preludeTexts(expressions, prelude))
      return expressions.pair(expressions.choice(preludes), textsOf(expressions, constraint.answer, places, relaxed))
    }
    case 'tool_calls':
      return callsOf(json, constraint, places, relaxed)
  }
}

function callsOf(
  json: JsonText,
  { functions, parallel, form = HERMES_FORM }: Extract<SingleConstraint, { type: 'tool_calls' }>,
  places: ConstraintPlaces,
  relaxed: RelaxedKeyword[]
): Expression {
  const { expressions } = json
  const written = (parts: readonly string[]): Expression =>
    expressions.sequence(parts.map(part => marker(expressions, part)))
  const calls = functions.map(({ name, parameters }, functionIndex) => {
    const strict = places.strictParameters?.(functionIndex) === true
    const rules = { where: places.parameters(functionIndex), strict, functionIndex }
    return expressions.sequence([
      written(form.beforeName),
      expressions.literal(form.quotedName ? JSON.stringify(name) : name),
      written(form.beforeArguments),
      argumentsOf(json, form.notation, parameters, rules, relaxed),
      written(form.afterArguments)
    ])
  })
  const call = expressions.reference(undefined, () => expressions.choice(calls))
  const { between } = form
  const furtherMax = parallel && between !== undefined ? TOOL_CALLS_MAX - 1 : 0
  const further = expressions.repeat(expressions.pair(written(between ?? []), call), 0, furtherMax)
  return expressions.sequence([written(form.begin), call, further, written(form.end)])
}

interface SchemaRules {
  readonly where: string
  readonly strict: boolean
  readonly functionIndex?: number
}

function documentsOf(json: JsonText, source: string, rules: SchemaRules, relaxed: RelaxedKeyword[]): Expression {
  const { where } = rules
  return enforced(schemaDocuments(json, parseSchema(source, where), where), rules, relaxed)
}

function argumentsOf(
  json: JsonText,
  notation: ArgumentNotation | undefined,
  source: string,
  rules: SchemaRules,
  relaxed: RelaxedKeyword[]
): Expression {
  if (notation === undefined) return documentsOf(json, source, rules, relaxed)
  const { where } = rules
  return enforced(callArguments(json.expressions, notation, parseSchema(source, where), where), rules, relaxed)
}

/** What is allowed; says which keywords are not enforced, or refuses them. */
function enforced(
  documents: SchemaDocuments,
  { where, strict, ...function_ }: SchemaRules,
  relaxed: RelaxedKeyword[]
): Expression {
  const [first] = documents.relaxed
  if (strict && first !== undefined) {
    const place = shortPlace(`${where}${first.path}`)
    throw new MeshError('invalid_request', `${place} ${first.problem}`, {
      hint: `${first.hint} With strict false it is relaxed.`,
      details: { param: place }
    })
  }
  for (const { path } of documents.relaxed) if (relaxed.length < RELAXED_MAX) relaxed.push({ ...function_, path })
  return documents.expression
}

function parseSchema(source: string, where: string): unknown {
  const refusal = (problem: string): MeshError =>
    new MeshError('invalid_request', `${where} ${problem}`, { hint: 'Make it smaller.', details: { param: where } })
  if (source.length > SCHEMA_CHARACTERS_MAX) {
    throw refusal(`has ${source.length} characters, at most ${SCHEMA_CHARACTERS_MAX} are read`)
  }
  // what walks over a value later calls itself at each level
  if (jsonDepth(source) > JSON_DEPTH_MAX) throw refusal(`is nested deeper than ${JSON_DEPTH_MAX}`)
  try {
    return JSON.parse(source)
  } catch (cause) {
    throw new MeshError('invalid_request', `${where} is not JSON`, { cause, details: { param: where } })
  }
}
