import { EXCLUDED, EXCLUDED_PATTERN, isSchema, type Schema, type SchemaDocument, SILENT } from './schema-document.ts'
import { kindOf, TYPE_NAMES } from './schema-keywords.ts'

const DEPTH_MAX = 8
const OPTIONS_MAX = 64

/** A limit, and the one that begins where it ends. */
const OPPOSITES: Readonly<Record<string, readonly [other: string, by: number, type: string]>> = {
  minimum: ['exclusiveMaximum', 0, 'number'],
  maximum: ['exclusiveMinimum', 0, 'number'],
  exclusiveMinimum: ['maximum', 0, 'number'],
  exclusiveMaximum: ['minimum', 0, 'number'],
  minLength: ['maxLength', -1, 'string'],
  maxLength: ['minLength', 1, 'string'],
  minItems: ['maxItems', -1, 'array'],
  maxItems: ['minItems', 1, 'array'],
  minProperties: ['maxProperties', -1, 'object'],
  maxProperties: ['minProperties', 1, 'object']
}

/** Schemas of values that a schema does not allow: what fits one of them does not fit it. */
export interface Negation {
  readonly options: readonly unknown[]
  /** Every value that does not fit the schema fits one of them. */
  readonly complete: boolean
}

const complete = (...options: readonly unknown[]): Negation => ({ options, complete: true })

/** What does not fit `schema`; undefined where no schema can be named for it. */
export function negated(document: SchemaDocument, schema: unknown, depth = 0): Negation | undefined {
  if (schema === false) return complete(true)
  if (schema === true) return complete()
  if (!isSchema(schema) || depth > DEPTH_MAX) return undefined
  return document.derived(schema, 'not', () => {
    const keywords = Object.keys(schema).filter(keyword => kindOf(keyword) !== undefined)
    document.budget.spend(4 * keywords.length)
    return joined(keywords.map(keyword => negatedKeyword(document, schema, keyword, depth)))
  })
}

/** What does not fit one of several is what does not fit them all. */
function joined(all: readonly (Negation | undefined)[]): Negation | undefined {
  const options = all.flatMap(one => one?.options ?? [])
  const known = all.every(one => one?.complete === true)
  return options.length > OPTIONS_MAX || (options.length === 0 && !known) ? undefined : { options, complete: known }
}

function negatedKeyword(
  document: SchemaDocument,
  schema: Schema,
  keyword: string,
  depth: number
): Negation | undefined {
  const value = schema[keyword]
  const opposite = OPPOSITES[keyword]
  if (opposite !== undefined) return beyond(value, ...opposite)
  switch (keyword) {
    case 'type':
      return otherTypes(schema)
    case 'const':
      return excluded([value])
    case 'enum':
      return Array.isArray(value) ? excluded(value) : undefined
    case 'pattern':
      return typeof value === 'string' ? complete({ type: 'string', [EXCLUDED_PATTERN]: value }) : undefined
    case 'required':
      return Array.isArray(value) ? complete(...value.map(name => forbidding(String(name)))) : undefined
    case 'properties':
      return isSchema(value) ? withOtherMember(document, value, depth) : undefined
    case 'not':
      return complete(value)
    case '$ref': {
      const target = document.resolve(value, '/$ref')
      return target === undefined ? undefined : negated(document, target.schema, depth + 1)
    }
    case 'allOf':
      return Array.isArray(value) ? joined(value.map(one => negated(document, one, depth + 1))) : undefined
    case 'anyOf':
      return Array.isArray(value) ? allNegated(value.map(one => negated(document, one, depth + 1))) : undefined
    default:
      return undefined
  }
}

function allNegated(all: readonly (Negation | undefined)[]): Negation | undefined {
  if (all.includes(undefined)) return undefined
  const known = all.every(one => one?.complete === true)
  if (all.some(one => one?.options.length === 0)) return { options: [], complete: known }
  return { options: [{ allOf: all.map(one => ({ anyOf: one?.options })) }], complete: known }
}

/** What lies on the other side of a limit. */
function beyond(value: unknown, other: string, by: number, type: string): Negation | undefined {
  if (typeof value !== 'number') return undefined
  return type !== 'number' && value + by < 0 ? complete() : complete({ type, [other]: value + by, [SILENT]: true })
}

/** An object without this member. */
export function forbidding(name: string): Schema {
  return { type: 'object', properties: { [name]: false }, [SILENT]: true }
}

function otherTypes({ type, nullable }: Schema): Negation | undefined {
  const names: readonly unknown[] = Array.isArray(type) ? type : [type]
  if (nullable !== undefined) return undefined
  // what is a number and no integer has no schema here
  const whole = names.includes('integer') && !names.includes('number')
  const others = TYPE_NAMES.filter(name => !names.includes(name) && name !== 'integer' && !(whole && name === 'number'))
  return { options: others.length === 0 ? [] : [{ type: others }], complete: !whole }
}

function excluded(values: readonly unknown[]): Negation | undefined {
  return values.some(value => typeof value === 'object' && value !== null)
    ? undefined
    : complete({ [EXCLUDED]: values })
}

function withOtherMember(document: SchemaDocument, properties: Schema, depth: number): Negation | undefined {
  return joined(
    Object.entries(properties).map(([name, schema]) => {
      const others = negated(document, schema, depth + 1)
      if (others === undefined || others.options.length === 0) return others
      const [only = true] = others.options
      const value = others.options.length === 1 ? only : { anyOf: others.options }
      const object = { type: 'object', properties: { [name]: value }, required: [name], [SILENT]: true }
      return { options: [object], complete: others.complete }
    })
  )
}
