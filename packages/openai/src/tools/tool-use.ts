import { hermesDialect, type ToolDialect } from '@resultity/dialects'
import { canWriteCall, isLark } from '@resultity/grammar'
import {
  type AnswerConstraint,
  CONSTRAINT_BYTES_MAX,
  invalidRequest,
  type SingleConstraint,
  type ToolFunction
} from '@resultity/interface'
import { isLegacy, type OfferedTool, offeredTools, type ToolFields, toolChoiceOf } from './offered-tools.ts'
import type { FunctionTool } from './tool-schema.ts'

/** What an answer may do with the tools of its request. */
export interface ToolUse {
  /** As the model is told of them. */
  readonly tools: readonly FunctionTool[]
  /** Those that may be called. */
  readonly callable: readonly OfferedTool[]
  /** Their names. */
  readonly names: ReadonlySet<string>
  /** Those of them that take a text, not arguments. */
  readonly custom: ReadonlySet<string>
  /** The client speaks of `functions`: a call is the answer's `function_call`. */
  readonly legacy: boolean
  /** How the model writes calls. */
  readonly dialect: ToolDialect
  /** More than one call may come. */
  readonly parallel: boolean
  /** Set where the answer must be calls; otherwise the model decides. */
  readonly constraint?: CallsConstraint
}

/** How errors call the parameters of the functions in a request's constraint, by their index there. */
export function parameterPlaces({ callable }: ToolUse): string[] {
  return callable.map(({ parametersField }) => parametersField)
}

/** The functions in a request's constraint whose parameters must be enforced in full, by their index there. */
export function strictFunctions({ callable }: ToolUse): number[] {
  return callable.flatMap(({ strict }, index) => (strict ? [index] : []))
}

/** Places of tools, as headers call them, by the index of their function in a request's constraint. */
export function toolPlaces({ callable }: ToolUse): string[] {
  return callable.map(({ place }) => place)
}

/** What is not held to in a call that the model decides on, as headers call it. */
export function unheldPlaces({ callable }: ToolUse): string[] {
  return callable.flatMap(({ unheld }) => (unheld === undefined ? [] : [unheld]))
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
  const offered = offeredTools(fields)
  const choice = toolChoiceOf(fields)
  if (choice.mode === 'none') return undefined
  if (offered.length === 0) {
    if (choice.mode === 'auto' && choice.names === undefined) return undefined
    const { field } = choice
    const tools = field === 'tool_choice' ? 'tools' : 'functions'
    throw invalidRequest(field, `${field} asks for a call, and there are no ${tools}`, `Send ${tools} as well.`)
  }
  const known = new Map<string, OfferedTool>()
  for (const tool of offered) {
    if (known.has(tool.name)) throw invalidRequest(tool.nameField, `"${tool.name}" is there twice`)
    known.set(tool.name, tool)
  }
  const unknown = choice.names?.find(([name, field]) => {
    const type = field.endsWith('.custom.name') ? 'custom' : 'function'
    return known.get(name)?.type !== type
  })
  if (unknown !== undefined) throw invalidRequest(unknown[1], `"${unknown[0]}" is none of the tools`)
  const legacy = isLegacy(fields)
  const names = new Set(choice.names === undefined ? known.keys() : choice.names.map(([name]) => name))
  const use = {
    tools: offered.map(({ shown }) => shown),
    callable: offered.filter(({ name }) => names.has(name)),
    names,
    custom: new Set(offered.filter(({ type }) => type === 'custom').map(({ name }) => name)),
    legacy,
    parallel: fields.parallel_tool_calls !== false && !legacy,
    dialect
  }
  if (choice.mode === 'auto') return use
  // of a named function there is one call, as clients expect who name it
  return { ...use, constraint: callsOnly({ ...use, parallel: use.parallel && !choice.isNamed }) }
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

/**
 * The same, with the reader for what an answer is held to: calls are as Hermes writes them where those of its family cannot be held to
 * what the tools say.
 */
export function readAsHeld(use: ToolUse, constraint: AnswerConstraint | undefined): ToolUse {
  const options = constraint?.type === 'any_of' ? constraint.options : [constraint]
  const calls = options.find(one => one?.type === 'tool_calls')
  return calls !== undefined && calls.form === undefined ? { ...use, dialect: hermesDialect } : use
}

/** Calls of the functions that may be called. */
function callsOnly({ callable: tools, parallel, dialect: { form } }: Omit<ToolUse, 'constraint'>): CallsConstraint {
  const functions = tools.map(
    (tool): ToolFunction => ({ name: tool.name, parameters: JSON.stringify(parametersOf(tool)) })
  )
  const characters = functions.reduce((sum, { name, parameters }) => sum + name.length + parameters.length, 0)
  if (characters > CONSTRAINT_BYTES_MAX) {
    throw invalidRequest('tools', `tools have ${characters} characters, at most ${CONSTRAINT_BYTES_MAX} are read`)
  }
  const held = { type: 'tool_calls' as const, functions, parallel }
  const notation = form?.notation
  const isWritten =
    form !== undefined && (notation === undefined || functions.every(one => canWriteCall(notation, one)))
  return isWritten ? { ...held, form } : held
}

/** Arguments are always an object; a function without parameters takes an empty one. */
function parametersOf({ parameters, parametersField }: OfferedTool): object {
  if (parameters === null || parameters === undefined) return { type: 'object', properties: {} }
  const { type } = parameters
  if (type === 'object' || ['$ref', 'anyOf', 'oneOf', 'allOf'].some(keyword => keyword in parameters)) return parameters
  if (type === undefined) return { type: 'object', properties: {}, ...parameters }
  throw invalidRequest(`${parametersField}.type`, 'arguments are an object: the type must be "object"')
}

/** A text that the input of a custom tool must be, and what errors call it. */
export interface InputGrammar {
  readonly constraint: Extract<SingleConstraint, { type: 'regex' | 'gbnf' }>
  readonly place: string
}

/** What the inputs of a request's custom tools must be: each is checked, whether calls are held to it or not. */
export function inputGrammars({ callable: tools }: ToolUse): readonly InputGrammar[] {
  return tools.flatMap(({ grammar, parametersField }): InputGrammar[] => {
    if (grammar === undefined) return []
    const { syntax, definition } = grammar
    const place = `${parametersField}.grammar.definition`
    if (syntax === 'regex') return [{ constraint: { type: 'regex', pattern: definition }, place }]
    if (!isLark(definition)) throw invalidRequest(place, 'the definition is no grammar in Lark: it has no rule')
    return [{ constraint: { type: 'gbnf', grammar: definition }, place }]
  })
}
