import { checkJsonShape } from '@resultity/api-kit'
import { TOOL_CALL } from '@resultity/grammar'
import { safeParse } from '@resultity/interface'
import { z } from 'zod'
import type { AnswerPiece } from './answer-piece.ts'
import { CallBodyReader } from './call-body-reader.ts'

export interface ToolCallReaderInit {
  /** Functions that may be called; a call of any other is text. */
  readonly names: ReadonlySet<string>
  /** False: nothing but the first call is wanted. */
  readonly parallel: boolean
}

/** Reads an answer as it comes. Pure: text in, pieces out; however the text is cut, the pieces say the same. */
export interface AnswerReader {
  /** Calls that have begun. */
  readonly calls: number
  /** Everything that is wanted has come. */
  readonly done: boolean
  push(text: string): AnswerPiece[]
  /** The answer is over: what was held back. */
  flush(): AnswerPiece[]
}

const callBody = z.looseObject({
  name: z.string(),
  arguments: z.unknown().optional(),
  /** What some models call them. */
  parameters: z.unknown().optional()
})
const argumentsObject = z.record(z.string(), z.unknown())

/**
 * Finds `<tool_call>` blocks in free text. A block becomes a call as a whole, once it is known to be one; one that is
 * malformed, or calls what nobody declared, is text like any other. Not a character of a block that becomes a call, nor of
 * the white space around it, is ever seen as text.
 */
export class FreeAnswerReader implements AnswerReader {
  readonly #init: ToolCallReaderInit
  /** White space, the beginning of a tag, or a block, not yet decided on. */
  #held = ''
  #inBlock = false
  #calls = 0

  constructor(init: ToolCallReaderInit) {
    this.#init = init
  }

  get calls(): number {
    return this.#calls
  }

  get done(): boolean {
    return this.#calls > 0 && !this.#init.parallel
  }

  push(text: string): AnswerPiece[] {
    const pieces: AnswerPiece[] = []
    this.#held += text
    while (!this.done) {
      const step = this.#inBlock ? this.#readBlock() : this.#readText()
      if (step === undefined) break
      pieces.push(...step)
    }
    return pieces
  }

  flush(): AnswerPiece[] {
    const pieces: AnswerPiece[] = []
    if (!this.done && this.#inBlock) pieces.push(...this.#endBlock(this.#held, ''))
    else if (!this.done && !(this.#calls > 0 && this.#held.trim() === '')) pieces.push(...content(this.#held))
    this.#held = ''
    return pieces
  }

  /** Text up to the next tag; undefined when more must come to tell. */
  #readText(): AnswerPiece[] | undefined {
    const at = this.#held.indexOf(TOOL_CALL.open)
    if (at >= 0) {
      this.#inBlock = true
      const before = this.#held.slice(0, at).trimEnd()
      this.#held = this.#held.slice(before.length)
      return content(before)
    }
    const certain = this.#held.length - undecidedLength(this.#held)
    if (certain === 0) return undefined
    const text = this.#held.slice(0, certain)
    this.#held = this.#held.slice(certain)
    return content(text)
  }

  #readBlock(): AnswerPiece[] | undefined {
    const end = this.#held.indexOf(TOOL_CALL.close)
    if (end < 0) return undefined
    const block = this.#held.slice(0, end)
    this.#held = this.#held.slice(end + TOOL_CALL.close.length)
    return this.#endBlock(block, TOOL_CALL.close)
  }

  /** `block` from the white space before its tag on, and how it was closed. */
  #endBlock(block: string, close: string): AnswerPiece[] {
    this.#inBlock = false
    const body = block.slice(block.indexOf(TOOL_CALL.open) + TOOL_CALL.open.length)
    const call = readCall(body, this.#init.names)
    if (call === undefined) return content(block + close)
    const index = this.#calls++
    return [
      { type: 'call', index, name: call.name },
      { type: 'arguments', index, text: call.arguments }
    ]
  }
}

/** Reads an answer that consists of calls only, and passes on their arguments as they come. */
export class CallsReader implements AnswerReader {
  readonly #body = new CallBodyReader()
  readonly done = false

  get calls(): number {
    return this.#body.calls
  }

  push(text: string): AnswerPiece[] {
    return this.#body.push(text)
  }

  flush(): AnswerPiece[] {
    return []
  }
}

function content(text: string): AnswerPiece[] {
  return text === '' ? [] : [{ type: 'content', text }]
}

/** Length of the end of `text` that may be white space before a tag, or the beginning of one. */
function undecidedLength(text: string): number {
  let tag = Math.min(TOOL_CALL.open.length - 1, text.length)
  while (tag > 0 && !text.endsWith(TOOL_CALL.open.slice(0, tag))) tag--
  return text.length - text.slice(0, text.length - tag).trimEnd().length
}

function readCall(body: string, names: ReadonlySet<string>): { name: string; arguments: string } | undefined {
  const parsed = safeParse(callBody, parseJson(body))
  if (!parsed.success || !names.has(parsed.data.name)) return undefined
  const given = parsed.data.arguments ?? parsed.data.parameters ?? {}
  // some models write the arguments as a text that holds JSON
  const values = safeParse(argumentsObject, typeof given === 'string' ? parseJson(given) : given)
  return values.success ? { name: parsed.data.name, arguments: JSON.stringify(values.data) } : undefined
}

function parseJson(text: string): unknown {
  try {
    checkJsonShape(text, 'a call')
    return JSON.parse(text)
  } catch {
    // no JSON, or of a shape that no call has, is no call: the schema says so
    return undefined
  }
}
