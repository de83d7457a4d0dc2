import { type BlockForm, BlockReader, type FoundCall } from './block-reader.ts'
import { MarkScanner } from './block-scanner.ts'
import { jsonCall } from './json-calls.ts'
import type { AnswerReaderInit, ToolDialect } from './tool-dialect.ts'

const OPEN = '<tool_call>'
const CLOSE = '</tool_call>'
const FUNCTION = '<function='
const FUNCTION_END = '</function>'
/** Of an argument. */
const NAME_CHARACTERS_MAX = 256

const blocks: BlockForm = {
  opens: [OPEN, FUNCTION],
  scanner: open => new MarkScanner(open === OPEN ? CLOSE : FUNCTION_END),
  callsIn(block, init) {
    const body = block.replace(/^<tool_call>/, '').replace(/<\/tool_call>$/, '')
    const call = body.trimStart().startsWith(FUNCTION) ? xmlCall(body, init) : jsonCall(body, init)
    return call === undefined ? undefined : [call]
  }
}

function xmlCall(body: string, init: AnswerReaderInit): FoundCall | undefined {
  const [head, name] = /^\s*<function=\s*([A-Za-z0-9_.-]{1,128})\s*>/.exec(body) ?? []
  if (head === undefined || name === undefined) return undefined
  const rest = withoutTag(body.slice(head.length), FUNCTION_END)
  const values: [string, unknown][] = []
  for (const part of rest.split(/<parameter=/).slice(1)) {
    const at = part.indexOf('>')
    const key = part.slice(0, Math.max(0, at)).trim()
    if (key === '' || key.length > NAME_CHARACTERS_MAX || key.includes('\n')) return undefined
    const text = argumentText(part.slice(at + 1))
    values.push([key, init.isText(name, key) ? text : jsonOrText(text, init)])
  }
  // only white space may stand before the first parameter
  return /^\s*(?:<parameter=|$)/.test(rest) ? { name, arguments: Object.fromEntries(values) } : undefined
}

function jsonOrText(text: string, { parseJson }: AnswerReaderInit): unknown {
  const value = parseJson(text)
  return value === undefined ? text : value
}

/** A line end behind the opening tag, and one before the closing tag, are not part of the argument. */
function argumentText(part: string): string {
  const text = part.replace(/^\n/, '')
  const inner = withoutTag(text, '</parameter>')
  return inner === text ? text : inner.replace(/\n$/, '')
}

/** Without the tag at its end, and the white space behind that. */
function withoutTag(text: string, tag: string): string {
  const end = text.trimEnd()
  return end.endsWith(tag) ? end.slice(0, -tag.length) : text
}

/** Qwen 3 Coder and others: `<function=f>` with a `<parameter=a>` for each argument, in `<tool_call>`. */
export const xmlDialect: ToolDialect = {
  name: 'xml',
  markers: [OPEN, CLOSE],
  form: {
    begin: [],
    beforeName: [OPEN, '\n', FUNCTION],
    quotedName: false,
    beforeArguments: ['>\n'],
    notation: 'xml',
    afterArguments: [`${FUNCTION_END}\n`, CLOSE],
    between: ['\n'],
    end: []
  },
  writes: (text, name) => text.includes(`${FUNCTION}${name}>`),
  reader: init => new BlockReader(blocks, init)
}
