import type { ConstraintCheck, Constraints } from '@resultity/generation'
import type { AnswerConstraint } from '@resultity/interface'
import { relaxedPlace } from '../answer/relaxed-header.ts'
import type { AnswerFormat } from '../answer/response-format.ts'
import {
  inputGrammars,
  parameterPlaces,
  strictFunctions,
  type ToolUse,
  toolPlaces,
  unheldPlaces
} from '../tools/tool-use.ts'

/** What a request says of the form of its answer. */
export interface ChatForm {
  readonly toolUse: ToolUse | undefined
  readonly format: AnswerFormat | undefined
  /** What follows from both. */
  readonly constraint: AnswerConstraint | undefined
}

/**
 * Checks everything that a request says about the form of its answer. This includes what the answer is not held to: texts of custom
 * tools that the model may call or not, and a format beside calls that must come.
 *
 * @returns the places of what the answer is not held to, as a header names them
 * @throws MeshError `invalid_request` naming the schema that must be enforced and cannot be; `resource_exhausted`
 */
export async function checkForm(form: ChatForm, constraints: Constraints): Promise<readonly string[]> {
  const { toolUse, constraint } = form
  const inputs = toolUse === undefined ? [] : inputGrammars(toolUse)
  const inputChecks = inputs.map(({ constraint: input, place }): ConstraintCheck => {
    return { constraint: input, places: { schema: place, parameters: [], strict: { schema: true, functions: [] } } }
  })
  const relaxed = (await constraints.checkAll([...inputChecks, ...answerChecks(form)])).flat()
  const tools = toolUse === undefined ? [] : toolPlaces(toolUse)
  // the parameters of a function are not enforced for a call found in free text
  const unheld = toolUse !== undefined && constraint === undefined ? unheldPlaces(toolUse) : []
  return [...unheld, ...relaxed.map(keyword => relaxedPlace(keyword, tools))]
}

function answerChecks(form: ChatForm): ConstraintCheck[] {
  const { constraint, format } = form
  const alone = constraint?.type === 'any_of' ? undefined : format?.constraint
  return [...new Set([constraint, alone])].flatMap(one => (one === undefined ? [] : [checkOf(one, form)]))
}

function checkOf(constraint: AnswerConstraint, { toolUse, format }: ChatForm): ConstraintCheck {
  const isCalls = constraint.type === 'tool_calls'
  const caller = isCalls || constraint.type === 'any_of' ? toolUse : undefined
  return {
    constraint,
    places: {
      schema: isCalls || format === undefined ? 'tools' : format.place,
      parameters: caller === undefined ? [] : parameterPlaces(caller),
      strict: { schema: format?.strict === true, functions: caller === undefined ? [] : strictFunctions(caller) }
    }
  }
}
