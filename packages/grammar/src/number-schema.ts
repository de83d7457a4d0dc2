import { BoundedNumber, type NumberLimits } from './bounded-number.ts'
import type { Expression } from './expression.ts'
import { EXCLUDED, type Part, type Schema, type SchemaDocument } from './schema-document.ts'
import { KEYWORDS_OF } from './schema-keywords.ts'
import type { SchemaScope } from './schema-scope.ts'

/** Numbers that are left out one by one. */
const EXCLUDED_MAX = 64

type Limits = { -readonly [Name in keyof NumberLimits]: NumberLimits[Name] }

/** The numbers that are within the limits of all `parts`. */
export function numberExpression(scope: SchemaScope, parts: readonly Part<Schema>[], integer: boolean): Expression {
  const { json, document } = scope
  const limits: Limits = { integer }
  const multiplesOf: number[] = []
  const excluded: number[] = []
  for (const part of parts) {
    const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = numbersOf(document, part)
    raise(limits, 'minimum', minimum)
    raise(limits, 'exclusiveMinimum', exclusiveMinimum)
    lower(limits, 'maximum', maximum)
    lower(limits, 'exclusiveMaximum', exclusiveMaximum)
    if (multipleOf !== undefined) multiplesOf.push(multipleOf)
    excluded.push(...(part.schema[EXCLUDED] ?? []).filter(Number.isFinite).map(Number))
  }
  if (excluded.length > EXCLUDED_MAX)
    document.relax(parts[0]?.path ?? '', `leaves out more than ${EXCLUDED_MAX} numbers`)
  else if (excluded.length > 0) limits.excluded = excluded
  if (multiplesOf.length > 0) limits.multiplesOf = multiplesOf
  if (Object.keys(limits).length === 1) return json.number(undefined, integer)
  limits.integer ||= multiplesOf.some(Number.isInteger)
  return json.number(new BoundedNumber(limits), limits.integer)
}

function numbersOf(document: SchemaDocument, { schema, path }: Part<Schema>): Readonly<Record<string, number>> {
  const numbers: Record<string, number> = {}
  for (const keyword of KEYWORDS_OF.number) {
    const value = schema[keyword]
    if (value === undefined || (typeof value === 'boolean' && keyword.startsWith('exclusive'))) continue
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw document.refusal(`${path}/${keyword}`, 'is no number that can be held to')
    }
    numbers[keyword] = value
  }
  if (!((numbers.multipleOf ?? 1) > 0)) throw document.refusal(`${path}/multipleOf`, 'is not above 0')
  return withoutFlags(schema, numbers)
}

/** Up to draft 4, and in OpenAPI 3.0, `exclusiveMinimum: true` says that the minimum itself is left out. */
function withoutFlags(schema: Schema, numbers: Record<string, number>): Readonly<Record<string, number>> {
  const { minimum, maximum, ...others } = numbers
  return {
    ...others,
    ...(minimum === undefined ? {} : { [schema.exclusiveMinimum === true ? 'exclusiveMinimum' : 'minimum']: minimum }),
    ...(maximum === undefined ? {} : { [schema.exclusiveMaximum === true ? 'exclusiveMaximum' : 'maximum']: maximum })
  }
}

function raise(limits: Limits, name: 'minimum' | 'exclusiveMinimum', to: number | undefined): void {
  if (to !== undefined) limits[name] = Math.max(to, limits[name] ?? to)
}

function lower(limits: Limits, name: 'maximum' | 'exclusiveMaximum', to: number | undefined): void {
  if (to !== undefined) limits[name] = Math.min(to, limits[name] ?? to)
}
