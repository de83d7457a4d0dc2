import { type CodePoints, normalized } from './characters.ts'
import type { PatternAlphabet } from './pattern.ts'
import { PatternRefusal } from './pattern-part.ts'

/** Characters of a set that are looked at one by one for those that differ by case only. */
const CASED_MAX = 4096

/** The characters of a text, one by one. */
export function codesOf(text: string): CodePoints {
  return [...text].map(letter => [letter.codePointAt(0) ?? 0, letter.codePointAt(0) ?? 0])
}

/** With those that differ by case only. */
export function casesOf(ranges: CodePoints): CodePoints {
  const cases: (readonly [number, number])[] = [...ranges]
  for (const [first, last] of ranges) {
    for (let code = first; code <= last; code++) {
      const letter = String.fromCodePoint(code)
      for (const other of [letter.toLowerCase(), letter.toUpperCase()]) {
        if ([...other].length === 1) cases.push(...codesOf(other))
      }
    }
  }
  return normalized(cases.toSorted((a, b) => a[0] - b[0]))
}

/** Letters in either case. */
export function anyCase(alphabet: PatternAlphabet): PatternAlphabet {
  return {
    expressions: alphabet.expressions,
    anyCharacter: alphabet.anyCharacter,
    literal: text => alphabet.literal(text),
    characterOf: ranges => {
      const count = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0)
      if (count > CASED_MAX) throw new PatternRefusal(`a set of more than ${CASED_MAX} characters beside the flag "i"`)
      alphabet.expressions.budget.spend(count)
      return alphabet.characterOf(casesOf(ranges))
    }
  }
}
