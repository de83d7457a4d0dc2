import { type CallForm, MeshError } from '@resultity/interface'
import { ContainerScanner } from '../text/container-scanner.ts'
import type { AnswerPiece, AnswerReader } from './tool-dialect.ts'

/** More characters than ever stand between the arguments of two calls. */
const HEAD_CHARACTERS_MAX = 1024

/** Reads an answer that is held to calls in a form: nothing in it is text, and arguments pass on as they come. */
export class HeldCallsReader implements AnswerReader {
  calls = 0
  readonly done = false
  readonly #start: string
  readonly #end: string
  readonly #quotedName: boolean
  #inArguments = false
  #head = ''
  readonly #values = new ContainerScanner()

  constructor({ beforeName, beforeArguments, quotedName }: CallForm) {
    this.#start = beforeName.join('')
    this.#end = beforeArguments.join('')
    this.#quotedName = quotedName
  }

  /** @throws MeshError `protocol_violation` for what no constraint has written */
  push(text: string): AnswerPiece[] {
    const pieces: AnswerPiece[] = []
    let at = 0
    while (at < text.length) {
      if (this.#inArguments) {
        const end = this.#values.push(text, at)
        pieces.push({ type: 'arguments', index: this.calls - 1, text: text.slice(at, end) })
        this.#inArguments = end === undefined
        at = end ?? text.length
      } else {
        const name = this.#readHead(text.charAt(at++))
        if (name !== undefined) pieces.push({ type: 'call', index: this.calls++, name })
      }
    }
    return pieces
  }

  flush(): AnswerPiece[] {
    return []
  }

  /** The function's name, once all that stands before the arguments has come. */
  #readHead(letter: string): string | undefined {
    this.#head += letter
    if (this.#head.length > HEAD_CHARACTERS_MAX) throw noCall()
    const start = this.#head.indexOf(this.#start)
    if (start < 0 || !this.#head.endsWith(this.#end)) return undefined
    const from = start + this.#start.length
    const to = this.#head.length - this.#end.length
    if (to <= from) return undefined
    const text = this.#head.slice(from, to)
    this.#head = ''
    this.#inArguments = true
    return this.#quotedName ? nameIn(text) : text
  }
}

function nameIn(text: string): string {
  try {
    const name: unknown = JSON.parse(text)
    if (typeof name === 'string') return name
  } catch {
    // said below
  }
  throw noCall()
}

function noCall(): MeshError {
  return new MeshError('protocol_violation', 'an answer that must be calls is none', {
    hint: 'The node is faulty or runs another release; compare the versions on both sides.'
  })
}
