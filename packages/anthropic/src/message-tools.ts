import { invalidRequest } from '@resultity/interface'
import type { MessageRequest, Tool } from './message-schema.ts'

type ToolFields = Pick<MessageRequest, 'tools' | 'tool_choice'>

/** Tools that Anthropic's own servers run. Nothing here does, and clients offer them without being asked. */
const SERVER_TOOL =
  /^(?:(?:web_search|web_fetch|code_execution|tool_search_tool_regex|tool_search_tool_bm25|advisor)(?:_\d{8})?|mcp_toolset)$/

function isServerTool({ type }: Tool): boolean {
  return typeof type === 'string' && SERVER_TOOL.test(type)
}

/** Types of the tools that the model is not told of, each once. */
export function ignoredTools({ tools }: ToolFields): string[] {
  return [...new Set((tools ?? []).filter(isServerTool).flatMap(({ type }) => type ?? []))]
}

/** Where the tools that the model is told of stand in the request. */
export function servedIndexes({ tools }: ToolFields): number[] {
  return [...(tools ?? []).entries()].flatMap(([index, tool]) => (isServerTool(tool) ? [] : [index]))
}

/**
 * The fields of a chat completion that speak of tools.
 * @throws MeshError `invalid_request` naming the tool that is not served, or the choice
 */
export function toChatTools(fields: ToolFields): Readonly<Record<string, unknown>> {
  const tools = fields.tools ?? []
  const served = servedIndexes(fields).flatMap(index => {
    const tool = tools[index]
    return tool === undefined ? [] : [toFunction(tool, index)]
  })
  return { ...(served.length === 0 ? {} : { tools: served }), ...toChoice(fields) }
}

function toFunction({ type, name, description, input_schema: parameters }: Tool, index: number): unknown {
  const field = `tools[${index}]`
  if (type !== undefined && type !== null && type !== 'custom') {
    const hint = 'Describe the tool by a name and an input_schema.'
    throw invalidRequest(`${field}.type`, `"${type}" is a tool that models here do not know`, hint)
  }
  if (name === undefined) throw invalidRequest(`${field}.name`, `${field} has no name`)
  if (parameters === undefined) throw invalidRequest(`${field}.input_schema`, `${field} has no input_schema`)
  return {
    type: 'function',
    function: { name, parameters, ...(typeof description === 'string' ? { description } : {}) }
  }
}

function toChoice({ tool_choice: choice }: ToolFields): Readonly<Record<string, unknown>> {
  if (choice === undefined || choice === null) return {}
  const parallel = choice.disable_parallel_tool_use === true ? { parallel_tool_calls: false } : {}
  if (choice.type !== 'tool') {
    return { tool_choice: choice.type === 'any' ? 'required' : choice.type, ...parallel }
  }
  if (choice.name === undefined) {
    throw invalidRequest('tool_choice.name', 'tool_choice names no tool', 'Name one, or use "any".')
  }
  return { tool_choice: { type: 'function', function: { name: choice.name } }, ...parallel }
}
