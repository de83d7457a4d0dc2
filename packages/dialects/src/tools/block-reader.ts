import { begunLength, firstMark } from '../text/marks.ts'
import type { BlockScanner } from './block-scanner.ts'
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
  /** Finds where the block that `open` begins ends. */
  scanner(open: string, init: AnswerReaderInit): BlockScanner
  /** The calls of a block, whole or as far as it came; undefined where it is none, and text. */
  callsIn(block: string, init: AnswerReaderInit): readonly FoundCall[] | undefined
}

/** A block that is being read. */
interface OpenBlock {
  readonly open: string
  readonly scanner: BlockScanner
  text: string
}

/**
 * Finds blocks of calls in free text. A block becomes calls as a whole, once it is known to be some; one that is malformed, or
 * calls what nobody declared, is text like any other. Not a character of a block that becomes a call, nor of the white space around
 * it, is ever seen as text. Each character is looked at a bounded number of times, however many pieces it comes in.
 */
export class BlockReader implements AnswerReader {
  readonly #form: BlockForm
  readonly #init: AnswerReaderInit
  readonly #word: RegExp
  /** What has just come, behind the beginning of a mark. */
  #held = ''
  /** White space behind which a call may follow. It only grows and is never searched, so holding it costs nothing. */
  #gap = ''
  #block: OpenBlock | undefined
  /** Nothing but calls has come. */
  #bare = true
  /** Nothing but what may part calls has come since the last. */
  #behindCall = false
  #calls = 0

  constructor(form: BlockForm, init: AnswerReaderInit) {
    this.#form = form
    this.#init = init
    this.#word = new RegExp(`[^\\s${form.separators ?? ''}]`)
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
      const step = this.#block === undefined ? this.#readText() : this.#readBlock(this.#block)
      if (step === undefined) return pieces
      pieces.push(...step)
    }
    this.#held = ''
    return pieces
  }

  flush(): AnswerPiece[] {
    const pieces = this.#block === undefined ? [] : this.#endBlock(this.#block)
    const rest = this.#gap + this.#held
    this.#held = ''
    this.#gap = ''
    if (this.done || (this.#calls > 0 && this.#firstWord(rest) < 0)) return pieces
    return [...pieces, ...this.#text(rest)]
  }

  /** Text up to the next mark; undefined when more must come to tell. */
  #readText(): AnswerPiece[] | undefined {
    const next = this.#nextOpen()
    const end = next?.at ?? this.#held.length - begunLength(this.#held, this.#form.opens)
    const text = this.#held.slice(0, end)
    this.#held = this.#held.slice(end)
    const pieces = this.#say(text)
    if (next === undefined) return text === '' ? undefined : pieces
    this.#block = { open: next.mark, scanner: this.#form.scanner(next.mark, this.#init), text: '' }
    return pieces
  }

  /** Undefined when more must come to tell. */
  #readBlock(block: OpenBlock): AnswerPiece[] | undefined {
    const text = this.#held
    this.#held = ''
    if (text === '') return undefined
    const end = block.scanner.push(text)
    if (typeof end === 'number') {
      block.text += text.slice(0, end)
      this.#held = text.slice(end)
      return this.#endBlock(block)
    }
    block.text += text
    if (end === 'open') return undefined
    // a block may still begin behind the mark
    this.#block = undefined
    this.#held = block.text.slice(block.open.length)
    return this.#text(this.#takeGap() + block.open)
  }

  #endBlock({ text }: OpenBlock): AnswerPiece[] {
    this.#block = undefined
    const before = this.#takeGap()
    const found = this.#form.callsIn(text, this.#init) ?? []
    if (found.length === 0 || found.some(({ name }) => !this.#init.names.has(name))) return this.#text(before + text)
    const wanted = this.#init.parallel ? found : found.slice(0, 1)
    this.#behindCall = true
    return wanted.flatMap((call): AnswerPiece[] => {
      const index = this.#calls++
      return [
        { type: 'call', index, name: call.name },
        { type: 'arguments', index, text: JSON.stringify(call.arguments) }
      ]
    })
  }

  /** Text that no mark is in; the white space at its end waits for what follows. */
  #say(text: string): AnswerPiece[] {
    if (this.#firstWord(text) < 0) {
      this.#gap += text
      return []
    }
    const said = text.trimEnd()
    const whole = this.#takeGap() + said
    this.#gap = text.slice(said.length)
    return this.#text(whole)
  }

  #text(text: string): AnswerPiece[] {
    if (text === '') return []
    this.#bare &&= text.trim() === ''
    this.#behindCall = false
    return [{ type: 'content', text }]
  }

  #takeGap(): string {
    const gap = this.#gap
    this.#gap = ''
    return gap
  }

  /** The mark that begins the next block in what is held. */
  #nextOpen(): ReturnType<typeof firstMark> {
    const next = firstMark(this.#held, this.#form.opens)
    const { opensAnswer = [] } = this.#form
    if (!this.#bare || opensAnswer.length === 0) return next
    const at = this.#firstWord(this.#held)
    const mark = opensAnswer.find(open => this.#held.startsWith(open, at))
    return mark === undefined || at < 0 || (next !== undefined && next.at <= at) ? next : { mark, at }
  }

  /** The place of the first character that is neither white space nor, behind a call, what parts calls; -1 where there is none. */
  #firstWord(text: string): number {
    return text.search(this.#behindCall ? this.#word : /\S/)
  }
}
