import type { AnswerPiece, AnswerReader, AnswerReaderInit } from './tool-dialect.ts'

/** A call as it was found. */
export interface FoundCall {
  readonly name: string
  readonly arguments: Readonly<Record<string, unknown>>
}

/** How blocks of calls stand in a text. */
export interface BlockForm {
  /** What begins a block. */
  readonly opens: readonly string[]
  /** What begins a block where nothing but white space and calls came before. */
  readonly opensAnswer?: readonly string[]
  /** Characters that may part calls, beside white space. */
  readonly separators?: string
  /** Where the block that `text` begins with ends; undefined while it may go on. */
  endOf(text: string): number | undefined
  /** The calls of a block, whole or as far as it came; undefined where it is none, and text. */
  callsIn(block: string, init: AnswerReaderInit): readonly FoundCall[] | undefined
}

/**
 * Finds blocks of calls in free text. A block becomes calls as a whole, once it is known to be some; one that is malformed, or
 * calls what nobody declared, is text like any other. Not a character of a block that becomes a call, nor of the white space around
 * it, is ever seen as text.
 */
export class BlockReader implements AnswerReader {
  readonly #form: BlockForm
  readonly #init: AnswerReaderInit
  readonly #blank: RegExp
  /** White space, the beginning of a tag, or a block, not yet decided on. */
  #held = ''
  /** Characters of `#held` before the block that is being read; undefined outside of one. */
  #blockAt: number | undefined
  /** Nothing but calls has come. */
  #bare = true
  #calls = 0

  constructor(form: BlockForm, init: AnswerReaderInit) {
    this.#form = form
    this.#init = init
    this.#blank = new RegExp(`^[\\s${form.separators ?? ''}]*$`)
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
      const step = this.#blockAt === undefined ? this.#readText() : this.#readBlock(this.#blockAt)
      if (step === undefined) break
      pieces.push(...step)
    }
    return pieces
  }

  flush(): AnswerPiece[] {
    const pieces: AnswerPiece[] = []
    if (this.done) this.#held = ''
    if (this.#blockAt !== undefined) pieces.push(...this.#endBlock(this.#blockAt, this.#held.length))
    if (!(this.#calls > 0 && this.#blank.test(this.#held))) pieces.push(...this.#text(this.#held))
    this.#held = ''
    return pieces
  }

  /** Text up to the next tag; undefined when more must come to tell. */
  #readText(): AnswerPiece[] | undefined {
    const at = this.#nextOpen()
    if (at !== undefined) {
      const before = this.#withoutBlank(this.#held.slice(0, at))
      this.#blockAt = at - before.length
      this.#held = this.#held.slice(before.length)
      return this.#text(before)
    }
    const certain = this.#withoutBlank(this.#held.slice(0, this.#held.length - this.#begunLength())).length
    if (certain === 0) return undefined
    const text = this.#held.slice(0, certain)
    this.#held = this.#held.slice(certain)
    return this.#text(text)
  }

  #readBlock(at: number): AnswerPiece[] | undefined {
    const end = this.#form.endOf(this.#held.slice(at))
    return end === undefined ? undefined : this.#endBlock(at, at + end)
  }

  #endBlock(at: number, end: number): AnswerPiece[] {
    this.#blockAt = undefined
    const block = this.#held.slice(at, end)
    const found = this.#form.callsIn(block, this.#init) ?? []
    const before = this.#held.slice(0, at)
    this.#held = this.#held.slice(end)
    if (found.length === 0 || found.some(({ name }) => !this.#init.names.has(name))) return this.#text(before + block)
    const wanted = this.#init.parallel ? found : found.slice(0, 1)
    return wanted.flatMap((call): AnswerPiece[] => {
      const index = this.#calls++
      return [
        { type: 'call', index, name: call.name },
        { type: 'arguments', index, text: JSON.stringify(call.arguments) }
      ]
    })
  }

  #text(text: string): AnswerPiece[] {
    if (text === '') return []
    if (text.trim() !== '') this.#bare = false
    return [{ type: 'content', text }]
  }

  /** Where the first tag of what is held begins. */
  #nextOpen(): number | undefined {
    const places = this.#form.opens.map(open => this.#held.indexOf(open)).filter(at => at >= 0)
    const first = /\S/.exec(this.#held.replaceAll(this.#separator, ' '))?.index
    const { opensAnswer = [] } = this.#form
    const opensHere = first !== undefined && this.#bare && opensAnswer.some(open => this.#held.startsWith(open, first))
    return places.length === 0 && !opensHere ? undefined : Math.min(...places, opensHere ? first : Infinity)
  }

  get #separator(): RegExp {
    return new RegExp(`[${this.#calls > 0 ? (this.#form.separators ?? ' ') : ' '}]`, 'g')
  }

  /** Length of the end of what is held that may be the beginning of a tag. */
  #begunLength(): number {
    const opens = [...this.#form.opens, ...(this.#bare ? (this.#form.opensAnswer ?? []) : [])]
    let longest = 0
    for (const open of opens) {
      for (let length = Math.min(open.length - 1, this.#held.length); length > longest; length--) {
        if (this.#held.endsWith(open.slice(0, length))) longest = length
      }
    }
    return longest
  }

  /** Without the white space at its end, and behind calls without what parts them. */
  #withoutBlank(text: string): string {
    return this.#calls > 0 && this.#blank.test(text) ? '' : text.trimEnd()
  }
}
