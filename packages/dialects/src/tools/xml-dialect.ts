import { type BlockForm, BlockReader, type FoundCall } from './block-reader.ts'
import { behind } from './hermes-dialect.ts'
import { jsonCall } from './json-calls.ts'
import type { AnswerReaderInit, ToolDialect } from './tool-dialect.ts'

const OPEN = '<tool_call>'
const CLOSE = '</tool_call>'
const FUNCTION = '<function='
const FUNCTION_END = '</function>'

const blocks: BlockForm = {
  opens: [OPEN, FUNCTION],
  endOf: text => behind(text, text.startsWith(OPEN) ? CLOSE : FUNCTION_END),
  callsIn(block, init) {
    const body = block.replace(/^<tool_call>/, '').replace(/<\/tool_call>$/, '')
    const call = body.trimStart().startsWith(FUNCTION) ? xmlCall(body, init) : jsonCall(body, init)
    return call === undefined ? undefined : [call]
  }
}

function xmlCall(body: string, init: AnswerReaderInit): FoundCall | undefined {
  const [head, name] = /^\s*<function=\s*([A-Za-z0-9_.-]{1,128})\s*>/.exec(body) ?? []
  if (head === undefined || name === undefined) return undefined
  const rest = body.slice(head.length).replace(/<\/function>\s*$/, '')
  const values: [string, unknown][] = []
  for (const part of rest.split(/<parameter=/).slice(1)) {
    const [opened, key] = /^\s*([^>\n]{1,256}?)\s*>\n?/.exec(part) ?? []
    if (opened === undefined || key === undefined) return undefined
    const text = part.slice(opened.length).replace(/\n?<\/parameter>\s*$/, '')
    values.push([key, init.isText(name, key) ? text : (init.parseJson(text) ?? text)])
  }
  // anything before the first parameter but white space is none of a call
  return /^\s*(?:<parameter=|$)/.test(rest) ? { name, arguments: Object.fromEntries(values) } : undefined
}

/** Qwen 3 Coder and others: `<function=f>` with a `<parameter=a>` for each argument, in `<tool_call>`. */
export const xmlDialect: ToolDialect = {
  name: 'xml',
  markers: [OPEN, CLOSE],
  form: undefined,
  writes: (text, name) => text.includes(`${FUNCTION}${name}>`),
  reader: init => new BlockReader(blocks, init)
}
