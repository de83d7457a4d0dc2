export type TypeName = 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null'

/** Ours: `{ syntax, definition }` of a pattern or grammar that a text must match from its beginning to its end. */
export const TEXT_GRAMMAR = 'x-resultity-grammar'

const NUMERIC = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'] as const

/** The keywords that speak of each type; they mean nothing for a value of another. */
export const KEYWORDS_OF: Readonly<Record<TypeName, readonly string[]>> = {
  object: [
    'properties',
    'required',
    'additionalProperties',
    'patternProperties',
    'propertyNames',
    'minProperties',
    'maxProperties',
    'unevaluatedProperties'
  ],
  array: [
    'items',
    'prefixItems',
    'additionalItems',
    'minItems',
    'maxItems',
    'uniqueItems',
    'contains',
    'minContains',
    'maxContains',
    'unevaluatedItems'
  ],
  string: ['minLength', 'maxLength', 'pattern', 'format', TEXT_GRAMMAR],
  number: NUMERIC,
  integer: NUMERIC,
  boolean: [],
  null: []
}

export const TYPE_NAMES = Object.keys(KEYWORDS_OF) as readonly TypeName[]

export function isTypeName(value: unknown): value is TypeName {
  return TYPE_NAMES.some(name => name === value)
}

/** Speak of the value itself, whatever its type. */
const OF_ANY_TYPE = ['type', 'nullable', 'enum', 'const'] as const

/** Apply further schemas to the same value. */
const IN_PLACE = [
  '$ref',
  'allOf',
  'anyOf',
  'oneOf',
  'not',
  'if',
  'then',
  'else',
  'dependentRequired',
  'dependentSchemas',
  'dependencies'
] as const

/** Of the drafts, and not followed here. */
const NOT_FOLLOWED = ['$dynamicRef', '$recursiveRef', 'disallow', 'divisibleBy', 'extends'] as const

export type KeywordKind = 'plain' | 'in place' | 'not followed'

const KINDS: ReadonlyMap<string, KeywordKind> = new Map<string, KeywordKind>([
  ...[...OF_ANY_TYPE, ...Object.values(KEYWORDS_OF).flat()].map(name => [name, 'plain'] as const),
  ...IN_PLACE.map(name => [name, 'in place'] as const),
  ...NOT_FOLLOWED.map(name => [name, 'not followed'] as const)
])

/** What a keyword does; undefined for one that says nothing of what is valid: an annotation, or one of somebody's own. */
export function kindOf(keyword: string): KeywordKind | undefined {
  return KINDS.get(keyword)
}

/** Of a whole schema, as JSON. */
export const SCHEMA_CHARACTERS_MAX = 65_536
export const SCHEMA_DEPTH_MAX = 32
/** Schemas within the schema. */
export const SCHEMA_PARTS_MAX = 4096
export const ENUM_VALUES_MAX = 2048
