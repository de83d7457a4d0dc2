import { ContainerScanner } from '../text/container-scanner.ts'
import { type BlockForm, BlockReader } from './block-reader.ts'
import { type BlockScanner, firstWord, type Scanned } from './block-scanner.ts'
import { jsonCall } from './json-calls.ts'
import type { ToolDialect } from './tool-dialect.ts'

const TAG = '<|python_tag|>'

const blocks: BlockForm = {
  opens: [TAG],
  opensAnswer: ['{'],
  separators: ';',
  scanner: open => new ObjectScanner(open === TAG ? TAG.length : 0),
  callsIn(block, init) {
    const call = jsonCall(block.startsWith(TAG) ? block.slice(TAG.length) : block, init)
    return call === undefined ? undefined : [call]
  }
}

/** An object, behind the tag or alone. */
class ObjectScanner implements BlockScanner {
  readonly #container = new ContainerScanner()
  /** Characters of the tag that have still to come. */
  #tag: number
  #begun = false

  constructor(tagLength: number) {
    this.#tag = tagLength
  }

  push(text: string): Scanned {
    let from: number | undefined = this.#tag
    this.#tag = 0
    if (!this.#begun) {
      from = firstWord(text, from)
      if (from === undefined) return 'open'
      // behind the tag may also stand a program, which is no call of a declared function
      if (text[from] !== '{') return 'none'
      this.#begun = true
    }
    return this.#container.push(text, from) ?? 'open'
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
