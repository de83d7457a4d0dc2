import { type BlockForm, BlockReader, type FoundCall } from './block-reader.ts'
import { MarkScanner } from './block-scanner.ts'
import { type LooseReader, readValues } from './loose-values.ts'
import { PythonicScanner } from './pythonic-scanner.ts'
import type { ToolDialect } from './tool-dialect.ts'

/** What stands around calls, if anything does. */
const FRAMES: Readonly<Record<string, string>> = {
  '<|python_start|>': '<|python_end|>',
  '<|tool_call_start|>': '<|tool_call_end|>'
}
const MARKERS = [...Object.keys(FRAMES), ...Object.values(FRAMES)]

const blocks: BlockForm = {
  opens: Object.keys(FRAMES),
  opensAnswer: ['['],
  scanner(open, { names }) {
    const close = FRAMES[open]
    return close === undefined ? new PythonicScanner(names) : new MarkScanner(close)
  },
  callsIn(block) {
    const frame = frameOf(block)
    const close = FRAMES[frame] ?? ''
    const body = block.slice(frame.length, block.endsWith(close) ? block.length - close.length : undefined)
    return readValues(body, reader => {
      const calls: FoundCall[] = []
      reader.expect('[')
      reader.list(']', () => calls.push(callIn(reader)))
      return calls
    })
  }
}

function frameOf(text: string): string {
  return Object.keys(FRAMES).find(open => text.startsWith(open)) ?? ''
}

function callIn(reader: LooseReader): FoundCall {
  const name = reader.name()
  const values: [string, unknown][] = []
  reader.expect('(')
  reader.list(')', () => {
    const key = reader.name()
    reader.expect('=')
    values.push([key, reader.value()])
  })
  return { name, arguments: Object.fromEntries(values) }
}

/** Llama 4, LFM 2 and others: a list of calls as in Python, `[f(a=1)]`. */
export const pythonicDialect: ToolDialect = {
  name: 'pythonic',
  markers: MARKERS,
  form: undefined,
  writes: (text, name) => new RegExp(`\\[${name}\\(\\w+=`).test(text),
  reader: init => new BlockReader(blocks, init)
}
