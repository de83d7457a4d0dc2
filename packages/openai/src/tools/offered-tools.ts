import { CUSTOM_ARGUMENT } from '@resultity/dialects'
import { TEXT_GRAMMAR } from '@resultity/grammar'
import { invalidRequest } from '@resultity/interface'
import { z } from 'zod'
import { type CustomFormat, type CustomTool, type FunctionTool, legacyToolFields, toolFields } from './tool-schema.ts'

const toolBody = z.object({ ...toolFields, ...legacyToolFields })
export type ToolFields = z.infer<typeof toolBody>

/** A tool of a request, in whichever form it came. */
export interface OfferedTool {
  readonly type: 'function' | 'custom'
  readonly name: string
  /** As the model is told of it. */
  readonly shown: FunctionTool
  /** What the arguments of a call must be, where calls must come. */
  readonly parameters: FunctionTool['function']['parameters']
  /** They must be held to in full. */
  readonly strict: boolean
  /** Where it is, as headers call it, and what errors call its name and its parameters. */
  readonly place: string
  readonly nameField: string
  readonly parametersField: string
  /** Set where a call that the model decides on may be other than was asked for, as headers call it. */
  readonly unheld?: string
  /** What the text of a custom tool must be. */
  readonly grammar?: Extract<CustomFormat, { type: 'grammar' }>['grammar']
}

/** How the tools of a request are to be used. */
export interface ToolChoice {
  readonly mode: 'none' | 'auto' | 'required'
  /** Those that may be called, and how errors call the place of each; undefined: all. */
  readonly names?: readonly (readonly [name: string, field: string])[]
  /** One call, of the one that is named. */
  readonly isNamed: boolean
  /** The field that says so. */
  readonly field: 'tool_choice' | 'function_call'
}

/** The request speaks of `functions`, and is answered in their words. */
export function isLegacy({ functions }: ToolFields): boolean {
  return (functions ?? []).length > 0
}

/** @throws MeshError `invalid_request` for tools in both forms */
export function offeredTools(fields: ToolFields): readonly OfferedTool[] {
  const { tools, functions } = fields
  if (!isLegacy(fields)) {
    return (tools ?? []).map((tool, index) => {
      if (tool.type === 'custom') return customTool(tool, `tools[${index}]`)
      return functionTool(tool, `tools[${index}]`, `tools[${index}].function`)
    })
  }
  if ((tools ?? []).length > 0) {
    throw invalidRequest('functions', 'functions is set beside tools', 'Send tools.')
  }
  return (functions ?? []).map((one, index) =>
    functionTool({ type: 'function', function: one }, `functions[${index}]`, `functions[${index}]`)
  )
}

/** @throws MeshError `invalid_request` for a choice in the words of another form than the tools are in */
export function toolChoiceOf(fields: ToolFields): ToolChoice {
  const legacy = isLegacy(fields)
  const { tools, tool_choice: choice, function_call: call } = fields
  if (legacy && choice !== null && choice !== undefined) {
    throw invalidRequest('tool_choice', 'tool_choice is set beside functions', 'Use function_call, or send tools.')
  }
  if ((tools ?? []).length > 0 && call !== null && call !== undefined && call !== 'auto') {
    throw invalidRequest('function_call', 'function_call is set beside tools', 'Use tool_choice.')
  }
  if (legacy || choice === null || choice === undefined) return legacyChoice(call ?? 'auto')
  const field = 'tool_choice'
  if (typeof choice === 'string') return { mode: choice, isNamed: false, field }
  if (choice.type === 'allowed_tools') {
    const names = choice.allowed_tools.tools.map(
      (one, index) => [nameIn(one), `tool_choice.allowed_tools.tools[${index}].${one.type}.name`] as const
    )
    return { mode: choice.allowed_tools.mode, names, isNamed: false, field }
  }
  return { mode: 'required', names: [[nameIn(choice), `tool_choice.${choice.type}.name`]], isNamed: true, field }
}

function legacyChoice(call: NonNullable<ToolFields['function_call']>): ToolChoice {
  const field = 'function_call'
  if (typeof call === 'string') return { mode: call, isNamed: false, field }
  return { mode: 'required', names: [[call.name, 'function_call.name']], isNamed: true, field }
}

type Named = Extract<NonNullable<ToolFields['tool_choice']>, { type: 'function' | 'custom' }>

function nameIn(choice: Named): string {
  return choice.type === 'custom' ? choice.custom.name : choice.function.name
}

function functionTool(tool: FunctionTool, place: string, body: string): OfferedTool {
  const { name, parameters, strict } = tool.function
  return {
    type: 'function',
    name,
    shown: tool,
    parameters,
    strict: strict === true,
    place,
    nameField: `${body}.name`,
    parametersField: `${body}.parameters`,
    ...(strict === true ? { unheld: `${place}.strict` } : {})
  }
}

/** Models learned to call functions: a custom tool is one that takes a text. */
function customTool({ custom: { name, description, format } }: CustomTool, place: string): OfferedTool {
  const grammar = format?.type === 'grammar' ? format.grammar : undefined
  const parametersWith = (text: Readonly<Record<string, unknown>>) => ({
    type: 'object',
    properties: { [CUSTOM_ARGUMENT]: { type: 'string', ...text } },
    required: [CUSTOM_ARGUMENT]
  })
  const about = [description, grammar === undefined ? undefined : formatText(grammar)].filter(Boolean).join('\n\n')
  const shown = { name, description: about, parameters: parametersWith({}) }
  return {
    type: 'custom',
    name,
    shown: { type: 'function', function: shown },
    parameters: {
      ...parametersWith(grammar === undefined ? {} : { [TEXT_GRAMMAR]: grammar }),
      additionalProperties: false
    },
    strict: true,
    place,
    nameField: `${place}.custom.name`,
    parametersField: `${place}.custom.format`,
    ...(grammar === undefined ? {} : { unheld: `${place}.format`, grammar })
  }
}

function formatText({ syntax, definition }: NonNullable<OfferedTool['grammar']>): string {
  const form = syntax === 'regex' ? 'matches this regular expression' : 'is a text of this grammar (Lark)'
  return `Its ${CUSTOM_ARGUMENT} ${form}:\n${definition}`
}
