import { hermesDialect, type ToolDialect } from '@resultity/dialects'
import {
  type AnswerConstraint,
  CONSTRAINT_BYTES_MAX,
  invalidRequest,
  type SingleConstraint,
  type ToolFunction
} from '@resultity/interface'
import { z } from 'zod'
import { type FunctionTool, toolFields } from './tool-schema.ts'

const toolBody = z.object(toolFields)
type ToolFields = z.infer<typeof toolBody>

/** What an answer may do with the tools of its request. */
export interface ToolUse {
  readonly tools: readonly FunctionTool[]
  /** Functions that may be called. */
  readonly names: ReadonlySet<string>
  /** How the model writes calls. */
  readonly dialect: ToolDialect
  /** More than one call may come. */
  readonly parallel: boolean
  /** Set where the answer must be calls; otherwise the model decides. */
  readonly constraint?: CallsConstraint
}

/** Which functions the calls of an answer may be of: all, or the one that is named. */
function callable({ tools, tool_choice: choice }: ToolFields): readonly (readonly [number, FunctionTool])[] {
  const only = typeof choice === 'object' ? choice?.function.name : undefined
  const all = [...(tools ?? []).entries()]
  return only === undefined ? all : all.filter(([, tool]) => tool.function.name === only)
}

/** How errors call the parameters of the functions in a request's constraint, by their index there. */
export function parameterPlaces(fields: ToolFields): string[] {
  return callable(fields).map(([index]) => `tools[${index}].function.parameters`)
}

/** The functions in a request's constraint whose parameters must be enforced in full, by their index there. */
export function strictFunctions(fields: ToolFields): number[] {
  return callable(fields).flatMap(([, tool], index) => (tool.function.strict === true ? [index] : []))
}

/** Places of tools, as headers call them, by the index of their function in a request's constraint. */
export function toolPlaces(fields: ToolFields): string[] {
  return callable(fields).map(([index]) => `tools[${index}]`)
}

type CallsConstraint = Extract<SingleConstraint, { type: 'tool_calls' }>

/**
 * Reads a request's tools and how they are to be used; undefined where there are none to use.
 *
 * @param dialect how the model writes calls
 * @throws MeshError `invalid_request` naming the field: a choice of nothing, a name twice or unknown, or parameters of
 *   another type than an object, where calls must come. Whether they can be enforced is not checked here.
 */
export function toolUseOf(fields: ToolFields, dialect: ToolDialect = hermesDialect): ToolUse | undefined {
  const tools = fields.tools ?? []
  const choice = fields.tool_choice ?? 'auto'
  if (choice === 'none') return undefined
  if (tools.length === 0) {
    if (choice === 'auto') return undefined
    throw invalidRequest('tool_choice', 'tool_choice asks for a call, and there are no tools', 'Send tools as well.')
  }
  const names = new Set<string>()
  for (const [index, { function: one }] of tools.entries()) {
    if (names.has(one.name)) throw invalidRequest(`tools[${index}].function.name`, `"${one.name}" is there twice`)
    names.add(one.name)
  }
  const parallel = fields.parallel_tool_calls !== false
  if (choice === 'auto') return { tools, names, parallel, dialect }
  const only = choice === 'required' ? undefined : choice.function.name
  if (only !== undefined && !names.has(only)) {
    throw invalidRequest('tool_choice.function.name', `"${only}" is none of the tools`)
  }
  return { tools, names, parallel, dialect, constraint: callsOnly(tools, only, { parallel, dialect }) }
}

/**
 * What an answer must be that has both tools and a format: calls where calls are asked for, one or the other where the
 * model decides.
 *
 * @throws MeshError `invalid_request` for tools whose parameters are not of an object
 */
export function answerConstraint(
  use: ToolUse | undefined,
  format: SingleConstraint | undefined
): AnswerConstraint | undefined {
  if (use === undefined || format === undefined) return use?.constraint ?? format
  if (use.constraint !== undefined) return use.constraint
  return { type: 'any_of', options: [format, callsOnly(use.tools, undefined, use)] }
}

/** Calls of all functions or of one; of a named one there is one call, as clients expect who name it. */
function callsOnly(
  tools: readonly FunctionTool[],
  only: string | undefined,
  { parallel, dialect: { form } }: Pick<ToolUse, 'parallel' | 'dialect'>
): CallsConstraint {
  const functions: ToolFunction[] = []
  for (const [index, tool] of tools.entries()) {
    if (only !== undefined && tool.function.name !== only) continue
    functions.push({ name: tool.function.name, parameters: JSON.stringify(parametersOf(tool, index)) })
  }
  const characters = functions.reduce((sum, { name, parameters }) => sum + name.length + parameters.length, 0)
  if (characters > CONSTRAINT_BYTES_MAX) {
    throw invalidRequest('tools', `tools have ${characters} characters, at most ${CONSTRAINT_BYTES_MAX} are read`)
  }
  const held = { type: 'tool_calls' as const, functions, parallel: parallel && only === undefined }
  return form === undefined ? held : { ...held, form }
}

/** Arguments are always an object; a function without parameters takes an empty one. */
function parametersOf({ function: { parameters } }: FunctionTool, index: number): object {
  if (parameters === null || parameters === undefined) return { type: 'object', properties: {} }
  const { type } = parameters
  if (type === 'object' || ['$ref', 'anyOf', 'oneOf', 'allOf'].some(keyword => keyword in parameters)) return parameters
  if (type === undefined) return { type: 'object', properties: {}, ...parameters }
  throw invalidRequest(`tools[${index}].function.parameters.type`, 'arguments are an object: the type must be "object"')
}
