import { type BlockForm, BlockReader, type FoundCall } from './block-reader.ts'
import { isObject, jsonCalls, jsonEnd } from './json-calls.ts'
import type { AnswerReaderInit, ToolDialect } from './tool-dialect.ts'

const CALLS = '[TOOL_CALLS]'
const ARGS = '[ARGS]'
const ID = '[CALL_ID]'

/** A function's name, the id of the call where there is one, and what parts them from the arguments. */
const HEAD = /^\s*([A-Za-z0-9_.-]{1,128})(?:\[CALL_ID\][A-Za-z0-9]{0,64})?(?:\[ARGS\])?\s*(?=\{)/
/** As long as a head may still become one. */
const HEAD_BEGUN = /^\s*[A-Za-z0-9_.-]{0,128}(?:\[[A-Z_]{0,7}(?:\][A-Za-z0-9]{0,64}(?:\[[A-Z]{0,4}\]?)?)?)?\s*$/

const blocks: BlockForm = {
  opens: [CALLS],
  endOf(text) {
    const body = text.slice(CALLS.length)
    const list = /^\s*(?=\[)/.exec(body)
    const head = list ?? HEAD.exec(body)
    if (head === null) return HEAD_BEGUN.test(body) ? undefined : CALLS.length
    return jsonEnd(text, CALLS.length + head[0].length)
  },
  callsIn(block, init) {
    const body = block.slice(CALLS.length)
    return /^\s*\[/.test(body) ? jsonCalls(body, init) : headedCall(body, init)
  }
}

function headedCall(body: string, { parseJson }: AnswerReaderInit): readonly FoundCall[] | undefined {
  const [head, name] = HEAD.exec(body) ?? []
  if (head === undefined || name === undefined) return undefined
  const values = parseJson(body.slice(head.length))
  return isObject(values) ? [{ name, arguments: values }] : undefined
}

const common = {
  markers: [CALLS, ARGS, ID],
  reader: (init: AnswerReaderInit) => new BlockReader(blocks, init)
}

/** Mistral's models up to 2024: `[TOOL_CALLS]` and a list of objects. */
export const mistralListDialect: ToolDialect = {
  ...common,
  name: 'mistral-list',
  form: {
    begin: [CALLS, '['],
    beforeName: ['{"name": '],
    quotedName: true,
    beforeArguments: [', "arguments": '],
    afterArguments: ['}'],
    between: [', '],
    end: [']']
  },
  writes: (text, name) => new RegExp(`\\[TOOL_CALLS\\]\\s*\\[\\{"name":\\s*"${name}"`).test(text)
}

/** Mistral's models since: `[TOOL_CALLS]`, the name, `[ARGS]` and the arguments, for each call. */
export const mistralDialect: ToolDialect = {
  ...common,
  name: 'mistral',
  form: {
    begin: [],
    beforeName: [CALLS],
    quotedName: false,
    beforeArguments: [ARGS],
    afterArguments: [],
    between: [],
    end: []
  },
  writes: (text, name) => text.includes(`${CALLS}${name}${ARGS}`) || text.includes(`${CALLS}${name}${ID}`)
}
