import { ANY_CHARACTER, oneOf, without } from './characters.ts'
import type { Expression, Expressions } from './expression.ts'

/**
 * Any text that ends with a marker. The marker stands nowhere before its end, and nothing of `forbidden` stands before the marker. The
 * marker is written by its letters, or as `token`. The states of the automaton say how much of which mark has been written (Aho and
 * Corasick, "Efficient string matching", 1975).
 */
export function textUpTo(
  expressions: Expressions,
  marker: string,
  token: Expression,
  forbidden: readonly string[] = []
): Expression {
  const marks = [marker, ...forbidden]
  const begun = new Set(marks.flatMap(mark => [...mark].map((_, length) => [...mark].slice(0, length).join(''))))
  const letters = [...new Set(marks.flatMap(mark => [...mark]))]
  const points = letters.map(pointOf).toSorted((a, b) => a - b)
  const others = oneOf(
    expressions,
    without(
      ANY_CHARACTER,
      points.map(point => [point, point])
    )
  )
  const states = new Map<string, Expression>()
  const stateOf = (written: string): Expression => states.get(written) ?? expressions.dead
  for (const written of begun) {
    expressions.budget.spend(4 * letters.length)
    const state = expressions.reference(undefined, () => {
      const options = letters.map(letter => {
        const character = oneOf(expressions, [[pointOf(letter), pointOf(letter)]])
        const text = written + letter
        if (text.endsWith(marker)) return character
        if (forbidden.some(mark => text.endsWith(mark))) return expressions.dead
        return expressions.pair(character, stateOf(longestEnd(text, begun)))
      })
      return expressions.choice([...options, expressions.pair(others, stateOf('')), token])
    })
    states.set(written, state)
  }
  return stateOf('')
}

function pointOf(letter: string): number {
  return letter.codePointAt(0) ?? 0
}

/** The longest end of `text` that is the beginning of a mark. */
function longestEnd(text: string, begun: ReadonlySet<string>): string {
  const letters = [...text]
  for (let from = 0; from < letters.length; from++) {
    const end = letters.slice(from).join('')
    if (begun.has(end)) return end
  }
  return ''
}
