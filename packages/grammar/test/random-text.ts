import type { Grammar, GrammarState } from '../src/index.ts'

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Small numbers that a seed gives. */
function dice(seed: number): (sides: number) => number {
  let state = seed >>> 0
  return sides => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

const QUOTE = 0x22
/** Brackets and braces. */
const CLOSING = [0x5d, 0x7d]
/** More than may come between the parts of a document. */
const BETWEEN_MAX = 20

type Option = [byte: number, next: GrammarState]

/** Out of strings and containers; in a string, whose end may depend on its letters, on by plain ones. */
function waysOut(options: readonly Option[]): readonly Option[] {
  const quote = options.filter(([byte]) => byte === QUOTE)
  if (quote.length > 0) return quote
  return options.filter(([byte]) =>
    options.length > BETWEEN_MAX ? byte >= 0x30 && byte < 0x7f : CLOSING.includes(byte)
  )
}

/** A text of the grammar, byte by byte at random; after a while the shortest way out is preferred. */
export function randomText(grammar: Grammar, seed: number): string {
  const roll = dice(seed)
  const bytes: number[] = []
  let state: GrammarState = grammar.start
  for (;;) {
    const options: Option[] = []
    for (let byte = 0; byte < 256; byte++) {
      const next = grammar.after(state, byte)
      if (next !== undefined) options.push([byte, next])
    }
    const mayEnd = state.nullable && (bytes.length > 60 || options.length === 0 || roll(3) === 0)
    if (mayEnd) return decoder.decode(Uint8Array.from(bytes))
    const out = bytes.length > 60 ? waysOut(options) : []
    const from = out.length > 0 ? out : options
    const chosen = from[roll(from.length)]
    if (chosen === undefined) throw new Error(`stuck after ${decoder.decode(Uint8Array.from(bytes))}`)
    bytes.push(chosen[0])
    state = chosen[1]
    if (bytes.length > 4000) throw new Error(`no end: ${decoder.decode(Uint8Array.from(bytes)).slice(0, 200)}`)
  }
}
