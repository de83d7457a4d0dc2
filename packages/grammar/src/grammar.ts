import { MeshError, type OutputConstraint, type ToolFunction } from '@resultity/interface'
import { after } from './derivative.ts'
import { type Expression, Expressions } from './expression.ts'
import { JsonText } from './json-text.ts'
import { schemaExpression } from './schema.ts'
import { TOOL_CALL, TOOL_CALLS_MAX } from './tool-call-text.ts'

/** A place in a text: what was read decides what may follow. `nullable`: the text may end here. */
export type GrammarState = Expression

/** The texts that satisfy a constraint, byte by byte. */
export class Grammar {
  /** Before the first byte. */
  readonly start: GrammarState
  readonly #expressions = new Expressions()

  /**
   * @param leadingSpaces that a vocabulary puts before the first word and a decoder takes away: they may come first
   * @throws MeshError `invalid_request` naming what in the constraint cannot be held to
   */
  constructor(constraint: OutputConstraint, leadingSpaces = 0) {
    const expressions = this.#expressions
    const spaces = expressions.repeat(expressions.literal(' '), 0, leadingSpaces)
    this.start = expressions.sequence(spaces, textsOf(expressions, constraint))
  }

  /** The state after one more byte; undefined when that byte may not come. */
  after(state: GrammarState, byte: number): GrammarState | undefined {
    const next = after(this.#expressions, state, byte)
    return next === this.#expressions.dead ? undefined : next
  }

  /** Whether `text` is in the grammar as a whole. */
  accepts(text: string): boolean {
    let state: GrammarState | undefined = this.start
    for (const byte of new TextEncoder().encode(text)) {
      if (state === undefined) return false
      state = this.after(state, byte)
    }
    return state?.nullable === true
  }
}

/** How whoever is told of an error calls the schemas of a constraint. */
export interface ConstraintPlaces {
  readonly schema: string
  /** The schema of the function with this index. */
  parameters(index: number): string
}

const OWN_PLACES: ConstraintPlaces = { schema: 'schema', parameters: index => `functions[${index}].parameters` }

/** @throws MeshError `invalid_request` naming the place in `constraint` that cannot be held to */
export function checkConstraint(constraint: OutputConstraint, places: ConstraintPlaces = OWN_PLACES): void {
  textsOf(new Expressions(), constraint, places)
}

function textsOf(
  expressions: Expressions,
  constraint: OutputConstraint,
  places: ConstraintPlaces = OWN_PLACES
): Expression {
  const json = new JsonText(expressions)
  switch (constraint.type) {
    case 'json_object':
      return json.anyObject()
    case 'json_schema':
      return schemaExpression(json, parseSchema(constraint.schema, places.schema), places.schema)
    case 'any_of':
      return expressions.choice(...constraint.options.map(option => textsOf(expressions, option, places)))
    case 'tool_calls': {
      const calls = constraint.functions.map((one, index) => callOf(json, one, places.parameters(index)))
      const call = expressions.reference('a call', () => expressions.choice(...calls))
      const further = expressions.sequence(expressions.literal(TOOL_CALL.between), call)
      return expressions.sequence(call, expressions.repeat(further, 0, constraint.parallel ? TOOL_CALLS_MAX - 1 : 0))
    }
  }
}

function callOf(json: JsonText, { name, parameters }: ToolFunction, where: string): Expression {
  const { expressions } = json
  return expressions.sequence(
    expressions.literal(TOOL_CALL.beforeName + JSON.stringify(name) + TOOL_CALL.beforeArguments),
    schemaExpression(json, parseSchema(parameters, where), where),
    expressions.literal(TOOL_CALL.afterArguments)
  )
}

function parseSchema(source: string, where: string): unknown {
  try {
    return JSON.parse(source)
  } catch (cause) {
    throw new MeshError('invalid_request', `${where} is not JSON`, { cause, details: { param: where } })
  }
}
