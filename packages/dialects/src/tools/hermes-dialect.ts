import { type BlockForm, BlockReader } from './block-reader.ts'
import { MarkScanner } from './block-scanner.ts'
import { jsonCall } from './json-calls.ts'
import type { ToolDialect } from './tool-dialect.ts'

/** What stands around a call. */
export const HERMES_TAGS = { open: '<tool_call>', close: '</tool_call>' } as const

const { open: OPEN, close: CLOSE } = HERMES_TAGS

const blocks: BlockForm = {
  opens: [OPEN],
  scanner: () => new MarkScanner(CLOSE),
  callsIn(block, init) {
    const call = jsonCall(block.slice(OPEN.length).replace(/<\/tool_call>$/, ''), init)
    return call === undefined ? undefined : [call]
  }
}

/**
 * Hermes, Qwen 2.5 and 3, and models that were not taught a form of their own: `<tool_call>` around an object with `name` and
 * `arguments`.
 */
export const hermesDialect: ToolDialect = {
  name: 'hermes',
  markers: [OPEN, CLOSE],
  form: undefined,
  writes: (text, name) => new RegExp(`<tool_call>\\s*\\{\\s*"name":\\s*"${name}"`).test(text),
  reader: init => new BlockReader(blocks, init)
}
