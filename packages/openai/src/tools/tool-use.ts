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

/** Which functions the calls of an answer may be of: all, those that are allowed, or the one that is named. */
function callable(fields: ToolFields): readonly (readonly [number, FunctionTool])[] {
  const names = chosenNames(fields.tool_choice)
  const all = [...(fields.tools ?? []).entries()]
  return names === undefined ? all : all.filter(([, tool]) => names.some(([name]) => name === tool.function.name))
}

/** Functions that a choice names, and how errors call the place of each; undefined where it names none. */
function chosenNames(
  choice: ToolFields['tool_choice']
): readonly (readonly [name: string, field: string])[] | undefined {
  if (typeof choice !== 'object' || choice === null) return undefined
  if (choice.type === 'function') return [[choice.function.name, 'tool_choice.function.name']]
  return choice.allowed_tools.tools.map(
    (tool, index) => [tool.function.name, `tool_choice.allowed_tools.tools[${index}].function.name`] as const
  )
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
  const chosen = chosenNames(choice)
  const unknown = chosen?.find(([name]) => !names.has(name))
  if (unknown !== undefined) throw invalidRequest(unknown[1], `"${unknown[0]}" is none of the tools`)
  const isNamed = typeof choice === 'object' && choice.type === 'function'
  const use = {
    tools,
    names: chosen === undefined ? names : new Set(chosen.map(([name]) => name)),
    parallel: fields.parallel_tool_calls !== false,
    dialect
  }
  const isFree = choice === 'auto' || (typeof choice === 'object' && !isNamed && choice.allowed_tools.mode === 'auto')
  // of a named function there is one call, as clients expect who name it
  return isFree ? use : { ...use, constraint: callsOnly({ ...use, parallel: use.parallel && !isNamed }) }
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
  return { type: 'any_of', options: [format, callsOnly(use)] }
}

/** Calls of the functions that may be called. */
function callsOnly({ tools, names, parallel, dialect: { form } }: Omit<ToolUse, 'constraint'>): CallsConstraint {
  const functions: ToolFunction[] = []
  for (const [index, tool] of tools.entries()) {
    if (!names.has(tool.function.name)) continue
    functions.push({ name: tool.function.name, parameters: JSON.stringify(parametersOf(tool, index)) })
  }
  const characters = functions.reduce((sum, { name, parameters }) => sum + name.length + parameters.length, 0)
  if (characters > CONSTRAINT_BYTES_MAX) {
    throw invalidRequest('tools', `tools have ${characters} characters, at most ${CONSTRAINT_BYTES_MAX} are read`)
  }
  const held = { type: 'tool_calls' as const, functions, parallel }
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
