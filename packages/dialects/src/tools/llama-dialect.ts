import { type BlockForm, BlockReader } from './block-reader.ts'
import { jsonCall, jsonEnd } from './json-calls.ts'
import type { ToolDialect } from './tool-dialect.ts'

const TAG = '<|python_tag|>'

const blocks: BlockForm = {
  opens: [TAG],
  opensAnswer: ['{'],
  separators: ';',
  endOf(text) {
    const from = text.startsWith(TAG) ? TAG.length : 0
    const first = /\S/.exec(text.slice(from))
    if (first === null) return undefined
    // behind the tag may also stand a program, which is no call of a declared function
    return first[0] === '{' ? jsonEnd(text, from) : from
  },
  callsIn(block, init) {
    const call = jsonCall(block.startsWith(TAG) ? block.slice(TAG.length) : block, init)
    return call === undefined ? undefined : [call]
  }
}

/** Llama 3.1 and 3.2: an object with `name` and `parameters`, alone or behind `<|python_tag|>`. */
export const llamaDialect: ToolDialect = {
  name: 'llama-json',
  markers: [TAG],
  form: {
    begin: [],
    beforeName: ['{"name": '],
    quotedName: true,
    beforeArguments: [', "parameters": '],
    afterArguments: ['}'],
    between: ['; '],
    end: []
  },
  writes: (text, name) => new RegExp(`\\{"name":\\s*"${name}",\\s*"parameters":`).test(text),
  reader: init => new BlockReader(blocks, init)
}
