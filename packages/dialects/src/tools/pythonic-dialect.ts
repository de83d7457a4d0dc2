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

function dialectOf(frame: string): ToolDialect {
  const close = FRAMES[frame]
  return {
    name: 'pythonic',
    markers: MARKERS,
    form: {
      begin: frame === '' ? ['['] : [frame, '['],
      beforeName: [],
      quotedName: false,
      beforeArguments: ['('],
      notation: 'python',
      afterArguments: [')'],
      between: [', '],
      end: close === undefined ? [']'] : [']', close]
    },
    writes: (text, name) => {
      const at = text.indexOf(`${frame}[${name}(`)
      return at >= 0 && /^\w+=/.test(text.slice(at + frame.length + name.length + 2))
    },
    reader: init => new BlockReader(blocks, init)
  }
}

/** Llama 4, LFM 2 and others: a list of calls as in Python, `[f(a=1)]`; those with a frame first. */
export const pythonicDialects: readonly ToolDialect[] = [...Object.keys(FRAMES), ''].map(dialectOf)
