import { type Prelude, SPECIAL_TOKEN_BYTE } from '@resultity/interface'
import type { Expression, Expressions } from './expression.ts'
import { textUpTo } from './text-up-to.ts'

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
  return expressions.choice([expressions.literal(text), tokenOf(expressions, text)])
}

/** A special token, by its name. */
export function tokenOf(expressions: Expressions, name: string): Expression {
  return expressions.literal(Uint8Array.from([SPECIAL_TOKEN_BYTE, ...utf8.encode(name)]))
}

function until(expressions: Expressions, text: string): Expression {
  const blank = expressions.byteIn([
    [0x09, 0x0a],
    [0x0d, 0x0d],
    [0x20, 0x20]
  ])
  return expressions.pair(
    textUpTo(expressions, text, tokenOf(expressions, text)),
    expressions.repeat(blank, 0, BLANKS_MAX)
  )
}
