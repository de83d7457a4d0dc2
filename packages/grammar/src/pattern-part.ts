import type { CodePoints } from './characters.ts'
import type { Expression } from './expression.ts'
import { PATTERN_POSITIONS_MAX } from './limits.ts'

/** A pattern that is no pattern, or one that no automaton of characters can follow. */
export class PatternRefusal extends Error {}

/** What the content of a JSON string may be, and how many characters it has. */
export interface StringContent {
  readonly expression: Expression
  readonly shortest: number
  readonly longest: number
}

/** A part of a pattern, and how many characters it has when all that is counted is written out. */
export interface PatternPart extends StringContent {
  readonly positions: number
}

/** @throws PatternRefusal when there are too many characters to write out */
export function counted(parts: readonly PatternPart[], times = 1): number {
  const positions = times * parts.reduce((sum, part) => sum + part.positions, 0)
  if (positions > PATTERN_POSITIONS_MAX) {
    throw new PatternRefusal(
      `its counts come to ${positions} characters, at most ${PATTERN_POSITIONS_MAX} are followed`
    )
  }
  return positions
}

export function single(character: string): CodePoints {
  const code = character.codePointAt(0) ?? 0
  return [[code, code]]
}

export function isSingle(ranges: CodePoints): boolean {
  return ranges.length === 1 && ranges[0]?.[0] === ranges[0]?.[1]
}
