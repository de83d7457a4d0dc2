import { MeshError } from '@resultity/interface'
import { meet } from './derivative.ts'
import type { Expression } from './expression.ts'
import { FORMAT_PATTERNS } from './formats.ts'
import { larkTexts } from './free-text.ts'
import { patternContent, patternTexts } from './pattern.ts'
import { PatternRefusal, type StringContent } from './pattern-part.ts'
import { GrammarRefusal } from './rule-node.ts'
import { EXCLUDED, EXCLUDED_PATTERN, isSchema, type Part, type Schema } from './schema-document.ts'
import { TEXT_GRAMMAR } from './schema-keywords.ts'
import { rangeOf, type SchemaScope } from './schema-scope.ts'

/** What a string must be, or must not, and where that is said. */
interface Demand extends StringContent {
  readonly path: string
}

/** The strings that all of `parts` allow. */
export function stringExpression(scope: SchemaScope, parts: readonly Part<Schema>[]): Expression {
  const { json, document } = scope
  const { min, max } = rangeOf(document, parts, 'minLength', 'maxLength')
  if (min > max) return json.expressions.dead
  const patterns = parts.flatMap(part => demandOf(scope, part, 'pattern', part.schema.pattern))
  const formats = parts.flatMap(part => demandOf(scope, part, 'format', formatPattern(part.schema.format)))
  const without = [...excludedValues(scope, parts), ...excludedPatterns(scope, parts)]
  const grammars = parts.flatMap(part => grammarOf(scope, part))
  const demands = [...patterns, ...formats, ...grammars]
  if (demands.length + without.length === 0) return json.string(min, max)
  const whole = held(scope, demands, without, min, max)
  // only a part of the texts of a format is generated, and a pattern may match none of them
  if (whole !== json.expressions.dead || formats.length === 0) return json.quoted(whole)
  document.relax(formats[0]?.path ?? '', 'cannot be held to beside what else the text must be')
  return patterns.length + grammars.length + without.length === 0
    ? json.string(min, max)
    : json.quoted(held(scope, [...patterns, ...grammars], without, min, max))
}

function held(
  scope: SchemaScope,
  demands: readonly Demand[],
  without: readonly Expression[],
  min: number,
  max: number
): Expression {
  const { json, document } = scope
  const { expressions } = json
  const all = demands.map(({ expression }) => expression)
  const isCounted = demands.length === 0 || demands.every(({ shortest, longest }) => shortest < min || longest > max)
  if (isCounted) {
    const atLeast = demands.some(({ shortest }) => shortest >= min) ? 0 : min
    const atMost = demands.some(({ longest }) => longest <= max) ? Number.POSITIVE_INFINITY : max
    all.push(expressions.repeat(json.anyCharacter, atLeast, atMost))
  }
  try {
    return meet(expressions, all, expressions.choice(without))
  } catch (error) {
    const [first] = demands
    if (!(error instanceof MeshError) || first === undefined) throw error
    document.relax(first.path, 'cannot be held to together with what else the text must be')
    return first.expression
  }
}

/** Every format of the drafts that is a kind of text; of others a schema says nothing. */
function formatPattern(format: unknown): string | undefined {
  return typeof format === 'string' && Object.hasOwn(FORMAT_PATTERNS, format) ? FORMAT_PATTERNS[format] : undefined
}

function demandOf(scope: SchemaScope, { path }: Part, keyword: string, pattern: unknown): Demand[] {
  if (pattern === undefined || pattern === null) return []
  const place = `${path}/${keyword}`
  if (typeof pattern !== 'string') throw scope.document.refusal(place, 'is no text')
  return demanded(scope, place, () => patternContent(scope.json, pattern))
}

function grammarOf(scope: SchemaScope, { path, schema }: Part<Schema>): Demand[] {
  const grammar = schema[TEXT_GRAMMAR]
  if (grammar === undefined || grammar === null) return []
  const place = `${path}/${TEXT_GRAMMAR}`
  const { syntax, definition } = isSchema(grammar) ? grammar : {}
  if (typeof definition !== 'string' || (syntax !== 'regex' && syntax !== 'lark')) {
    throw scope.document.refusal(place, 'has no definition in a syntax that is known')
  }
  return demanded(scope, place, () => {
    const expression = syntax === 'regex' ? patternTexts(scope.json, definition) : larkTexts(scope.json, definition)
    return { expression, shortest: 0, longest: Number.POSITIVE_INFINITY }
  })
}

function demanded(scope: SchemaScope, place: string, read: () => StringContent): Demand[] {
  try {
    return [{ path: place, ...read() }]
  } catch (error) {
    // what takes too much for one pattern leaves nothing for what comes behind it either, and is refused there
    if (!(error instanceof PatternRefusal || error instanceof GrammarRefusal || error instanceof MeshError)) throw error
    scope.document.relax(place, `cannot be held to: ${error.message}`)
    return []
  }
}

function excludedValues({ json, document }: SchemaScope, parts: readonly Part<Schema>[]): Expression[] {
  const texts = new Set(
    parts.flatMap(({ schema }) => schema[EXCLUDED] ?? []).filter(value => typeof value === 'string')
  )
  document.budget.spend(texts.size)
  return [...texts].map(text => json.expressions.literal(JSON.stringify(text).slice(1, -1)))
}

function excludedPatterns(scope: SchemaScope, parts: readonly Part<Schema>[]): Expression[] {
  return parts.flatMap(part =>
    demandOf(scope, part, 'pattern', part.schema[EXCLUDED_PATTERN]).map(({ expression }) => expression)
  )
}
