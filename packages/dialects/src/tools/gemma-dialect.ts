import { type BlockForm, BlockReader, type FoundCall } from './block-reader.ts'
import { MarkScanner } from './block-scanner.ts'
import { RAW_QUOTES, readValues } from './loose-values.ts'
import type { ToolDialect } from './tool-dialect.ts'

/** Of Gemma 4, and of FunctionGemma before it. */
const FRAMES: Readonly<Record<string, string>> = {
  '<|tool_call>': '<tool_call|>',
  '<start_function_call>': '<end_function_call>'
}
const OPENS = Object.keys(FRAMES)

const blocks: BlockForm = {
  opens: OPENS,
  scanner: open => new MarkScanner(FRAMES[open] ?? ''),
  callsIn(block) {
    const open = openOf(block)
    const close = FRAMES[open] ?? ''
    const body = block.slice(open.length, block.endsWith(close) ? block.length - close.length : undefined)
    const call = readValues(body, (reader): FoundCall => {
      reader.expect('call:')
      const name = reader.name()
      return { name, arguments: Object.fromEntries(Object.entries(Object(reader.value()))) }
    })
    return call === undefined ? undefined : [call]
  }
}

function openOf(text: string): string {
  return OPENS.find(open => text.startsWith(open)) ?? ''
}

function dialectOf(open: string, notation: 'gemma' | 'function-gemma'): ToolDialect {
  const close = FRAMES[open] ?? ''
  return {
    name: notation,
    markers: [...OPENS, ...Object.values(FRAMES), ...RAW_QUOTES],
    form: {
      begin: [],
      beforeName: [open, 'call:'],
      quotedName: false,
      beforeArguments: ['{'],
      notation,
      afterArguments: ['}', close],
      between: [],
      end: []
    },
    writes: (text, name) => new RegExp(`${escaped(open)}\\s*call:${escaped(name)}\\{`).test(text),
    reader: init => new BlockReader(blocks, init)
  }
}

/** `<|tool_call>call:f{a:<|"|>text<|"|>,n:1}<tool_call|>`: names have no quotes, and texts those of a token of their own. */
export const gemmaDialect: ToolDialect = dialectOf('<|tool_call>', 'gemma')

/** The same before Gemma 4: `<start_function_call>call:f{a:<escape>text<escape>}<end_function_call>`. */
export const functionGemmaDialect: ToolDialect = dialectOf('<start_function_call>', 'function-gemma')

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
