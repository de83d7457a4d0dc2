import { EXCLUDED, EXCLUDED_PATTERN, type Part, type Schema, type SchemaDocument } from './schema-document.ts'
import { isTypeName, KEYWORDS_OF, TYPE_NAMES, type TypeName } from './schema-keywords.ts'
import { flagOf } from './schema-scope.ts'

/** Each but the integer, which is a number. */
const EVERY: readonly TypeName[] = TYPE_NAMES.filter(type => type !== 'integer')

/**
 * The types that all of `parts` allow; where none says it, those that they speak of, and undefined where they speak of
 * none.
 */
export function allowedTypes(
  document: SchemaDocument,
  parts: readonly Part<Schema>[]
): readonly TypeName[] | undefined {
  let types: readonly TypeName[] | undefined
  for (const part of parts) {
    const own = ownTypes(document, part)
    if (own !== undefined) types = types === undefined ? own : types.flatMap(type => shared(type, own))
  }
  if (types !== undefined)
    return types.includes('number') ? types.filter(type => type !== 'integer') : [...new Set(types)]
  const spoken = EVERY.filter(type => parts.some(({ schema }) => speaksOf(schema, type)))
  if (spoken.length > 0) return spoken
  return parts.some(({ schema }) => schema[EXCLUDED] !== undefined) ? EVERY : undefined
}

/** What a schema's own `type` allows; undefined without one. */
export function ownTypes(document: SchemaDocument, part: Part<Schema>): readonly TypeName[] | undefined {
  const { schema, path } = part
  if (schema.type === undefined) return undefined
  const names: readonly unknown[] = Array.isArray(schema.type) ? schema.type : [schema.type]
  const types = names.filter(isTypeName)
  if (types.length < names.length || types.length === 0) {
    throw document.refusal(`${path}/type`, `is none of ${TYPE_NAMES.join(', ')}, nor a list of them`)
  }
  return flagOf(document, part, 'nullable') ? [...types, 'null'] : types
}

function shared(type: TypeName, others: readonly TypeName[]): readonly TypeName[] {
  if (others.includes(type)) return [type]
  if (type === 'integer' && others.includes('number')) return ['integer']
  return type === 'number' && others.includes('integer') ? ['integer'] : []
}

function speaksOf(schema: Schema, type: TypeName): boolean {
  return KEYWORDS_OF[type].some(name => name in schema) || (type === 'string' && schema[EXCLUDED_PATTERN] !== undefined)
}
