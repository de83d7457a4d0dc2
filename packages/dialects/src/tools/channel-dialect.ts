import { type BlockForm, BlockReader } from './block-reader.ts'
import { MarkScanner } from './block-scanner.ts'
import { isObject } from './json-calls.ts'
import type { ToolDialect } from './tool-dialect.ts'

const CHANNEL = '<|channel|>'
const MESSAGE = '<|message|>'
const CALL = '<|call|>'
const CONSTRAIN = '<|constrain|>'
const TO = 'to=functions.'

const blocks: BlockForm = {
  opens: [`${CHANNEL}commentary ${TO}`, `${CHANNEL}analysis ${TO}`, ` ${TO}`],
  scanner: () => new MarkScanner(CALL),
  callsIn(block, { parseJson }) {
    const at = block.indexOf(MESSAGE)
    const [, name] = /to=functions\.([A-Za-z0-9_.-]{1,128})/.exec(block.slice(0, at)) ?? []
    if (at < 0 || name === undefined) return undefined
    const text = block.slice(at + MESSAGE.length).replace(/<\|call\|>$/, '')
    const values = text.trim() === '' ? {} : parseJson(text)
    return isObject(values) ? [{ name, arguments: values }] : undefined
  }
}

/** gpt-oss: a message to a function, on the channel `commentary`. It ends the answer. */
export const channelDialect: ToolDialect = {
  name: 'channels',
  markers: [CHANNEL, MESSAGE, CALL, CONSTRAIN],
  form: {
    begin: [],
    beforeName: [CHANNEL, `commentary ${TO}`],
    quotedName: false,
    beforeArguments: [' ', CONSTRAIN, 'json', MESSAGE],
    afterArguments: [],
    end: []
  },
  writes: (text, name) => text.includes(`${TO}${name}`),
  reader: init => new BlockReader(blocks, init)
}
