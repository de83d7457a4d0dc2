import { MeshError, type OutputConstraint } from '@resultity/interface'
import { ANY_CHARACTER, type CodePoints, oneOf } from './characters.ts'
import type { Expression, Expressions } from './expression.ts'
import { gbnfRules } from './gbnf-rules.ts'
import { isLark, LARK_ROOT, larkRules } from './lark-rules.ts'
import { type PatternAlphabet, patternTexts } from './pattern.ts'
import { PatternRefusal } from './pattern-part.ts'
import { GrammarRefusal } from './rule-node.ts'
import { ruleTexts } from './rule-texts.ts'
import { SCHEMA_CHARACTERS_MAX } from './schema-keywords.ts'

/** The rule of a grammar in GBNF that is the whole text. */
const GBNF_ROOT = 'root'

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
    const alphabet = new PlainText(expressions)
    return constraint.type === 'regex' ? patternTexts(alphabet, source) : grammarTexts(alphabet, source)
  } catch (error) {
    if (error instanceof PatternRefusal) throw refusal(place, `cannot be held to: ${error.message}`, error)
    if (error instanceof GrammarRefusal) throw refusal(place, error.message, error)
    throw error
  }
}

/**
 * The texts of a grammar in Lark or GBNF: which of them it is shows in how it defines a rule.
 * @throws GrammarRefusal, PatternRefusal
 */
function grammarTexts(alphabet: PatternAlphabet, source: string): Expression {
  return isLark(source)
    ? larkTexts(alphabet, source)
    : ruleTexts(alphabet, gbnfRules(source, alphabet.expressions.budget), GBNF_ROOT)
}

/** The texts of a grammar in Lark. @throws GrammarRefusal, PatternRefusal */
export function larkTexts(alphabet: PatternAlphabet, source: string): Expression {
  return ruleTexts(alphabet, larkRules(alphabet, source), LARK_ROOT)
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

  literal(text: string): Expression {
    return this.expressions.literal(text)
  }

  characterOf(ranges: CodePoints): Expression {
    return oneOf(this.expressions, ranges)
  }
}
