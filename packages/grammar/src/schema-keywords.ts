/** Says nothing of what is valid. */
export const ANNOTATIONS: ReadonlySet<string> = new Set([
  '$anchor',
  '$comment',
  '$defs',
  '$id',
  '$schema',
  'default',
  'definitions',
  'deprecated',
  'description',
  'discriminator',
  'example',
  'examples',
  'externalDocs',
  'readOnly',
  'title',
  'writeOnly',
  'xml'
])

export type TypeName = 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null'

/** The keywords that speak of each type; they mean nothing for a value of another. */
export const KEYWORDS_OF: Readonly<Record<TypeName, readonly string[]>> = {
  object: ['properties', 'required', 'additionalProperties', 'propertyNames'],
  array: ['items', 'prefixItems', 'additionalItems', 'minItems', 'maxItems', 'uniqueItems'],
  string: ['minLength', 'maxLength', 'pattern', 'format'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  boolean: [],
  null: []
}

export const TYPE_NAMES = Object.keys(KEYWORDS_OF) as readonly TypeName[]

export function isTypeName(value: unknown): value is TypeName {
  return TYPE_NAMES.some(name => name === value)
}

/** Each stands for the whole schema, with nothing beside it but annotations. */
export const WHOLE_KEYWORDS = ['$ref', 'anyOf', 'oneOf', 'allOf', 'enum', 'const'] as const

export const KNOWN: ReadonlySet<string> = new Set([
  ...ANNOTATIONS,
  ...WHOLE_KEYWORDS,
  ...Object.values(KEYWORDS_OF).flat(),
  'type',
  'nullable'
])

/** Of a whole schema, as JSON. */
export const SCHEMA_CHARACTERS_MAX = 65_536
export const SCHEMA_DEPTH_MAX = 32
/** Schemas within the schema. */
export const SCHEMA_PARTS_MAX = 4096
export const ENUM_VALUES_MAX = 2048
