import fc, { type Arbitrary } from 'fast-check'

/** A JSON Schema as an OpenAPI document has them. */
export interface Schema {
  readonly $ref?: string
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly type?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
}

export type Components = Readonly<Record<string, Schema>>

type Json = Readonly<Record<string, unknown>>

/** Nested so deep, a value is whatever JSON there is: schemas may contain themselves. */
const DEPTH_MAX = 4

const extremes: Arbitrary<unknown> = fc.constantFrom(
  ...[null, '', ' ', '\u0000', '\ud800', '🙂'.repeat(300), 'x'.repeat(20_000), [], [[[[]]]], {}, { toString: 'x' }],
  ...[0, -1, 1e308, -1e308, 1.5, 2 ** 53, 2 ** 31, -0, true, false, 'NaN', '__proto__', '../../etc/passwd']
)

/** Values of a schema; more or less: patterns and combinations of rules are not looked at. */
function valuesOf(schema: Schema, components: Components, depth = 0): Arbitrary<unknown> {
  if (depth > DEPTH_MAX) return fc.jsonValue({ maxDepth: 1 })
  const inner = (one: Schema): Arbitrary<unknown> => valuesOf(one, components, depth + 1)
  if (schema.$ref !== undefined) return inner(components[schema.$ref.split('/').at(-1) ?? ''] ?? {})
  const variants = schema.anyOf ?? schema.oneOf
  if (variants !== undefined) return fc.oneof(...variants.map(inner))
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  switch (schema.type) {
    case 'string':
      return fc.string({ minLength: schema.minLength ?? 0, maxLength: Math.min(schema.maxLength ?? 12, 24) })
    case 'integer':
      return fc.integer(range(schema))
    case 'number':
      return fc.double({ ...range(schema), noNaN: true })
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'array':
      return fc.array(inner(schema.items ?? {}), { minLength: Math.min(schema.minItems ?? 0, 3), maxLength: 3 })
    case 'object':
      return objectsOf(schema, inner)
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

function range({ minimum = -1000, maximum = 1000 }: Schema): { min: number; max: number } {
  const min = Math.max(minimum, -(2 ** 31))
  return { min, max: Math.max(min, Math.min(maximum, 2 ** 31 - 1)) }
}

function objectsOf(schema: Schema, inner: (one: Schema) => Arbitrary<unknown>): Arbitrary<unknown> {
  const fields = Object.entries(schema.properties ?? {}).map(([name, one]) => [name, inner(one)])
  const required = schema.required ?? []
  return fc.record<Json>(Object.fromEntries(fields), { requiredKeys: required as never })
}

/**
 * Bodies that are nearly right: `base`, which is, with some of its schema's fields set to values that are right, or
 * wrong, or extreme; some fields left out, and some that nobody knows.
 */
export function nearValid(base: Json, schema: Schema, components: Components): Arbitrary<Json> {
  const resolved = schema.$ref === undefined ? schema : (components[schema.$ref.split('/').at(-1) ?? ''] ?? {})
  const fields = Object.entries(resolved.properties ?? {})
  const change = fc.oneof(
    ...fields.map(([name, field]) => fc.tuple(fc.constant(name), changed(field, components))),
    fc.tuple(fc.string({ maxLength: 12 }), fc.jsonValue({ maxDepth: 2 }))
  )
  return fc
    .tuple(fc.array(change, { maxLength: 3 }), fc.constantFrom(...Object.keys(base), undefined, undefined))
    .map(([changes, dropped]) => {
      const kept = Object.entries(base).filter(([name]) => name !== dropped)
      return Object.fromEntries([...kept, ...changes])
    })
}

function changed(field: Schema, components: Components): Arbitrary<unknown> {
  return fc.oneof(
    { arbitrary: valuesOf(field, components), weight: 3 },
    { arbitrary: extremes, weight: 2 },
    { arbitrary: fc.jsonValue({ maxDepth: 3 }), weight: 1 }
  )
}
