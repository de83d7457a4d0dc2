import { type Prelude, SPECIAL_TOKEN_BYTE } from '@resultity/interface'
import { ANY_CHARACTER, oneOf, without } from './characters.ts'
import type { Expression, Expressions } from './expression.ts'

/** White space between a marker and the answer. A model cannot go on with it for ever. */
const BLANKS_MAX = 16

const utf8 = new TextEncoder()

/** The texts that may stand before an answer. */
export function preludeTexts(expressions: Expressions, prelude: Prelude): Expression {
  return expressions.sequence(
    prelude.map(({ type, text }) => (type === 'literal' ? marker(expressions, text) : until(expressions, text)))
  )
}

/** By its letters or as a token. */
export function marker(expressions: Expressions, text: string): Expression {
  return expressions.choice([expressions.literal(text), token(expressions, text)])
}

function token(expressions: Expressions, name: string): Expression {
  return expressions.literal(Uint8Array.from([SPECIAL_TOKEN_BYTE, ...utf8.encode(name)]))
}

function until(expressions: Expressions, text: string): Expression {
  const blank = expressions.byteIn([
    [0x09, 0x0a],
    [0x0d, 0x0d],
    [0x20, 0x20]
  ])
  return expressions.pair(textUpTo(expressions, text), expressions.repeat(blank, 0, BLANKS_MAX))
}

/**
 * Any text in which the marker stands at the end and nowhere before: an automaton whose states are how much of the marker has been
 * written (Knuth, Morris and Pratt, "Fast pattern matching in strings", 1977).
 */
function textUpTo(expressions: Expressions, text: string): Expression {
  const letters = [...text]
  const distinct = [...new Set(letters)]
  const others = without(
    ANY_CHARACTER,
    distinct
      .map(pointsOf)
      .toSorted((a, b) => a[0][0] - b[0][0])
      .flat()
  )
  const ended = token(expressions, text)
  const state = (written: number): Expression => states[written] ?? expressions.dead
  const states: readonly Expression[] = letters.map((_, written) =>
    expressions.reference(undefined, () => {
      const options = distinct.map(letter => {
        const next = writtenAfter(letters, written, letter)
        const character = oneOf(expressions, pointsOf(letter))
        return next === letters.length ? character : expressions.pair(character, state(next))
      })
      return expressions.choice([...options, expressions.pair(oneOf(expressions, others), state(0)), ended])
    })
  )
  return state(0)
}

function pointsOf(letter: string): readonly [readonly [number, number]] {
  const point = letter.codePointAt(0) ?? 0
  return [[point, point]]
}

/** How many letters of the marker a text ends with, that ended with `written` of them and has one more. */
function writtenAfter(letters: readonly string[], written: number, letter: string): number {
  const end = [...letters.slice(0, written), letter]
  for (let length = end.length; length > 0; length--) {
    if (end.slice(end.length - length).every((one, at) => one === letters[at])) return length
  }
  return 0
}
