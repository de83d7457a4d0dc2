import { ContainerScanner } from '../text/container-scanner.ts'
import { type BlockForm, BlockReader, type FoundCall } from './block-reader.ts'
import { type BlockScanner, firstWord, type Scanned } from './block-scanner.ts'
import { isObject, jsonCalls } from './json-calls.ts'
import type { AnswerReaderInit, ToolDialect } from './tool-dialect.ts'

const CALLS = '[TOOL_CALLS]'
const ARGS = '[ARGS]'
const ID = '[CALL_ID]'

/** A function's name, the id of the call where there is one, and what parts them from the arguments. */
const HEAD = /^([A-Za-z0-9_.-]{1,128})(?:\[CALL_ID\][A-Za-z0-9]{0,64})?(?:\[ARGS\])?$/
/** As long as a head may still become one. */
const HEAD_BEGUN = /^[A-Za-z0-9_.-]{0,128}(?:\[[A-Z_]{0,7}(?:\][A-Za-z0-9]{0,64}(?:\[[A-Z]{0,4}\]?)?)?)?$/

const blocks: BlockForm = {
  opens: [CALLS],
  scanner: () => new CallsScanner(),
  callsIn(block, init) {
    const body = block.slice(CALLS.length).trimStart()
    return body.startsWith('[') ? jsonCalls(body, init) : headedCall(body, init)
  }
}

/** A list, or a head and an object. */
class CallsScanner implements BlockScanner {
  readonly #container = new ContainerScanner()
  /** Characters of the mark that have still to come. */
  #mark = CALLS.length
  /** `gap`: white space may stand between a head and its object. */
  #place: 'before' | 'head' | 'gap' | 'values' = 'before'
  #head = ''

  push(text: string): Scanned {
    let at: number | undefined = this.#mark
    this.#mark = 0
    while (this.#place !== 'values') {
      if (this.#place !== 'head') at = firstWord(text, at)
      if (at === undefined || at >= text.length) return 'open'
      const letter = text.charAt(at)
      const next = this.#after(letter)
      if (next === undefined) return 'none'
      if (this.#place === 'before' && next === 'head') at--
      this.#place = next
      if (next !== 'values') at++
    }
    return this.#container.push(text, at) ?? 'open'
  }

  /** Where `letter` leads to; undefined where it has no place. */
  #after(letter: string): 'head' | 'gap' | 'values' | undefined {
    switch (this.#place) {
      case 'before':
        return letter === '[' ? 'values' : 'head'
      case 'gap':
        return letter === '{' ? 'values' : undefined
      default: {
        const isOver = letter === '{' || /\s/.test(letter)
        if (isOver) return HEAD.test(this.#head) ? (letter === '{' ? 'values' : 'gap') : undefined
        this.#head += letter
        return HEAD_BEGUN.test(this.#head) ? 'head' : undefined
      }
    }
  }
}

function headedCall(body: string, { parseJson }: AnswerReaderInit): readonly FoundCall[] | undefined {
  const from = body.indexOf('{')
  const [, name] = HEAD.exec(body.slice(0, Math.max(0, from)).trimEnd()) ?? []
  if (name === undefined) return undefined
  const values = parseJson(body.slice(from))
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
