import type { CallForm } from '@resultity/interface'

/** How a call of a function is written in an answer, as the Hermes and Qwen models learned it. */
export const TOOL_CALL = {
  open: '<tool_call>',
  close: '</tool_call>',
  /** What a constrained answer has around the name and the arguments. */
  beforeName: '<tool_call>\n{"name": ',
  beforeArguments: ', "arguments": ',
  afterArguments: '}\n</tool_call>',
  between: '\n'
} as const

/** Calls in one answer. */
export const TOOL_CALLS_MAX = 64

/** The same as a form. */
export const HERMES_FORM: CallForm = {
  begin: [],
  beforeName: [TOOL_CALL.beforeName],
  quotedName: true,
  beforeArguments: [TOOL_CALL.beforeArguments],
  afterArguments: [TOOL_CALL.afterArguments],
  between: [TOOL_CALL.between],
  end: []
}
