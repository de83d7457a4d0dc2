import { TOOL_CALL } from '@resultity/grammar'
import { MeshError } from '@resultity/interface'
import type { AnswerPiece } from './answer-piece.ts'

const HEAD_START = TOOL_CALL.beforeName
const HEAD_END = TOOL_CALL.beforeArguments

/** Longer than all that stands between the arguments of one call and those of the next. */
const HEAD_CHARACTERS_MAX = 1024

/** Reads calls that are written exactly as a constraint has them written. */
export class CallBodyReader {
  /** Calls that have begun. */
  calls = 0
  #inArguments = false
  #head = ''
  #depth = 0
  #inString = false
  #escaped = false

  /** @throws MeshError `protocol_violation` for what no constraint has written */
  push(text: string): AnswerPiece[] {
    const pieces: AnswerPiece[] = []
    let from = 0
    for (let at = 0; at < text.length; at++) {
      const letter = text.charAt(at)
      if (!this.#inArguments) {
        const name = this.#readHead(letter)
        if (name === undefined) continue
        pieces.push({ type: 'call', index: this.calls++, name })
        from = at + 1
      } else if (this.#endsArguments(letter)) {
        this.#passOn(pieces, text.slice(from, at))
        this.#inArguments = false
      }
    }
    if (this.#inArguments) this.#passOn(pieces, text.slice(from))
    return pieces
  }

  #passOn(pieces: AnswerPiece[], text: string): void {
    if (text !== '') pieces.push({ type: 'arguments', index: this.calls - 1, text })
  }

  /** The function's name, once all that stands before the arguments has come. */
  #readHead(letter: string): string | undefined {
    this.#head += letter
    if (this.#head.length > HEAD_CHARACTERS_MAX) throw noCall()
    const start = this.#head.indexOf(HEAD_START)
    if (start < 0 || !this.#head.endsWith(HEAD_END)) return undefined
    const name = nameIn(this.#head.slice(start + HEAD_START.length, -HEAD_END.length))
    this.#head = ''
    this.#inArguments = true
    return name
  }

  /** Whether `letter` closes the object around the arguments. */
  #endsArguments(letter: string): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false
      else if (letter === '\\') this.#escaped = true
      else if (letter === '"') this.#inString = false
      return false
    }
    if (letter === '"') this.#inString = true
    else if (letter === '{' || letter === '[') this.#depth++
    else if (letter === '}' || letter === ']') {
      if (this.#depth === 0) return true
      this.#depth--
    }
    return false
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
