import { MeshError, type OutputConstraint } from '@resultity/interface'
import { ANY_CHARACTER, type CodePoints, oneOf } from './characters.ts'
import type { Expression, Expressions } from './expression.ts'
import { gbnfTexts } from './gbnf.ts'
import { GbnfRefusal } from './gbnf-rules.ts'
import { type PatternAlphabet, patternTexts } from './pattern.ts'
import { PatternRefusal } from './pattern-part.ts'
import { SCHEMA_CHARACTERS_MAX } from './schema-keywords.ts'

/** What an answer must be that need not be JSON. */
export type FreeTextConstraint = Extract<OutputConstraint, { type: 'regex' | 'choice' | 'gbnf' }>

/**
 * The texts that a pattern, a list or a grammar allows.
 *
 * @param place name of the constraint in errors
 * @throws MeshError `invalid_request` naming the place, if the constraint allows no text or cannot be enforced
 */
export function freeTexts(expressions: Expressions, constraint: FreeTextConstraint, place: string): Expression {
  expressions.budget.place = place
  const texts = read(expressions, constraint, place)
  if (texts === expressions.dead) throw refusal(place, 'allows no text')
  return texts
}

function read(expressions: Expressions, constraint: FreeTextConstraint, place: string): Expression {
  if (constraint.type === 'choice') {
    return expressions.choice(constraint.texts.map(text => expressions.literal(text)))
  }
  const source = constraint.type === 'regex' ? constraint.pattern : constraint.grammar
  if (source.length > SCHEMA_CHARACTERS_MAX) {
    throw refusal(place, `has ${source.length} characters, at most ${SCHEMA_CHARACTERS_MAX} are read`)
  }
  try {
    return constraint.type === 'regex'
      ? patternTexts(new PlainText(expressions), source)
      : gbnfTexts(expressions, source)
  } catch (error) {
    if (error instanceof PatternRefusal) throw refusal(place, `cannot be held to: ${error.message}`, error)
    if (error instanceof GbnfRefusal) throw refusal(place, error.message, error)
    throw error
  }
}

function refusal(place: string, problem: string, cause?: Error): MeshError {
  return new MeshError('invalid_request', `${place} ${problem}`, {
    hint: 'Correct it, or make it plainer.',
    details: { param: place },
    ...(cause === undefined ? {} : { cause })
  })
}

/** Characters as they are, where a JSON text spells some of them otherwise. */
class PlainText implements PatternAlphabet {
  readonly expressions: Expressions
  readonly anyCharacter: Expression

  constructor(expressions: Expressions) {
    this.expressions = expressions
    this.anyCharacter = this.characterOf(ANY_CHARACTER)
  }

  characterOf(ranges: CodePoints): Expression {
    return oneOf(this.expressions, ranges)
  }
}
