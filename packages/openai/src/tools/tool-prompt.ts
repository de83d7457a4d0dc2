import { HERMES_TAGS } from '@resultity/dialects'
import { HERMES_FORM } from '@resultity/interface'
import type { ChatMessage } from '@resultity/tokenizer'
import type { FunctionTool } from './tool-schema.ts'

/** In the words that the Hermes and Qwen models were trained with; others follow them as they can. */
const INTRODUCTION = `# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>`

const INSTRUCTION = `</tools>

For each function call, return a json object with function name and arguments within ${HERMES_TAGS.open}${HERMES_TAGS.close} XML tags:
${HERMES_TAGS.open}
{"name": <function-name>, "arguments": <args-json-object>}
${HERMES_TAGS.close}`

/**
 * The same conversation in turns that every chat template can write: tools become part of the system's turn, calls part
 * of the assistant's, and what tools answered turns of the user.
 */
export function withoutToolTurns(messages: readonly ChatMessage[], tools: readonly FunctionTool[]): ChatMessage[] {
  const turns: ChatMessage[] = []
  for (const message of messages) {
    const before = turns.at(-1)
    if (message.role === 'tool') {
      const content = `<tool_response>\n${message.content}\n</tool_response>`
      // several answers are one turn: templates want user and assistant to alternate
      const joined = before?.role === 'user' && before.content.endsWith('</tool_response>')
      if (joined) turns[turns.length - 1] = { role: 'user', content: `${before.content}\n${content}` }
      else turns.push({ role: 'user', content })
    } else {
      const content = [message.content, ...callTexts(message)].filter(Boolean).join('\n')
      const { role, reasoning, parts } = message
      turns.push({ role, content, ...(parts && { parts }), ...(reasoning === undefined ? {} : { reasoning }) })
    }
  }
  return tools.length === 0 ? turns : introduced(turns, tools)
}

function callTexts({ toolCalls = [] }: ChatMessage): string[] {
  return toolCalls.map(call => {
    const values = typeof call.arguments === 'string' ? call.arguments : JSON.stringify(call.arguments)
    const { beforeName, beforeArguments, afterArguments } = HERMES_FORM
    return [...beforeName, JSON.stringify(call.name), ...beforeArguments, values, ...afterArguments].join('')
  })
}

function introduced(turns: readonly ChatMessage[], tools: readonly FunctionTool[]): ChatMessage[] {
  const text = [INTRODUCTION, ...tools.map(tool => JSON.stringify(tool)), INSTRUCTION].join('\n')
  const [first, ...others] = turns
  if (first?.role === 'system' || first?.role === 'developer') {
    return [{ ...first, content: `${first.content}\n\n${text}` }, ...others]
  }
  return [{ role: 'system', content: text }, ...turns]
}
