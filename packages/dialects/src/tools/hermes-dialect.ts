import { type BlockForm, BlockReader } from './block-reader.ts'
import { MarkScanner } from './block-scanner.ts'
import { jsonCall } from './json-calls.ts'
import type { ToolDialect } from './tool-dialect.ts'

const OPEN = '<tool_call>'
const CLOSE = '</tool_call>'

const blocks: BlockForm = {
  opens: [OPEN],
  scanner: () => new MarkScanner(CLOSE),
  callsIn(block, init) {
    const call = jsonCall(block.slice(OPEN.length).replace(/<\/tool_call>$/, ''), init)
    return call === undefined ? undefined : [call]
  }
}

/**
 * Hermes, Qwen 2.5 and 3, and whoever was not taught a form of its own: `<tool_call>` around an object with `name` and
 * `arguments`.
 */
export const hermesDialect: ToolDialect = {
  name: 'hermes',
  markers: [OPEN, CLOSE],
  form: undefined,
  writes: (text, name) => new RegExp(`<tool_call>\\s*\\{\\s*"name":\\s*"${name}"`).test(text),
  reader: init => new BlockReader(blocks, init)
}
