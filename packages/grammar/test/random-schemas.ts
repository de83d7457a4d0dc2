import fc from 'fast-check'

type Schema = Record<string, unknown>

const name: fc.Arbitrary<string> = fc.constantFrom('a', 'ab', 'name', 'größe', 'a"b', 'x/y', '0')

const string: fc.Arbitrary<Schema> = fc.oneof(
  fc.constant({ type: 'string' }),
  fc.record({ type: fc.constant('string'), minLength: fc.nat(3), maxLength: fc.integer({ min: 3, max: 6 }) }),
  fc.record({
    type: fc.constant('string'),
    pattern: fc.constantFrom('^[a-f]+$', '^é', '^(?:x|y{2,3})?$', '^\\d{3}-\\w*$', '^[^"\\\\]{1,2}$', '^"a"|^b$')
  }),
  fc.record({ type: fc.constant('string'), format: fc.constantFrom('date', 'uuid', 'ipv4', 'date-time', 'email') }),
  fc.record({ enum: fc.constant(['red', 'green', 7, null, { deep: [1] }]) }),
  fc.record({ const: fc.constantFrom('only', 1.5, false) })
)

const bound = fc.oneof(fc.integer({ min: -1200, max: 1200 }), fc.constantFrom(0.1, -0.25, 1e-7, 12.345, 1e12))

const number: fc.Arbitrary<Schema> = fc.oneof(
  fc.constantFrom<Schema>({ type: 'number' }, { type: 'integer' }),
  fc
    .record({ type: fc.constantFrom('number', 'integer'), low: bound, span: fc.integer({ min: 1, max: 5000 }) })
    .chain(({ type, low, span }) =>
      fc.constantFrom<Schema>(
        { type, minimum: low, maximum: low + span },
        { type, exclusiveMinimum: low },
        { type, exclusiveMinimum: low, exclusiveMaximum: low + 2 },
        { type, maximum: low },
        { type: 'integer', multipleOf: 7, minimum: low }
      )
    )
)

/** Schemas of every kind that can be held to. */
export const schemas: fc.Arbitrary<Schema> = fc.letrec<{ schema: Schema }>(tie => {
  const properties = fc.dictionary(name, tie('schema'), { maxKeys: 4 })
  const object = fc
    .record({
      properties,
      optional: fc.array<string>(name),
      extra: fc.constantFrom<unknown>(undefined, false, true, { type: 'integer' })
    })
    .map(({ properties: declared, optional, extra }) => ({
      type: 'object',
      properties: declared,
      required: Object.keys(declared).filter(key => !optional.includes(key)),
      ...(extra === undefined ? {} : { additionalProperties: extra })
    }))
  const array = fc.record({
    type: fc.constant('array'),
    items: tie('schema'),
    minItems: fc.nat(2),
    maxItems: fc.integer({ min: 2, max: 3 })
  })
  const tuple = fc.record({
    type: fc.constant('array'),
    prefixItems: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }),
    items: fc.constantFrom<unknown>(false, { type: 'boolean' })
  })
  const anyOf = fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) })
  const simple = fc.constantFrom<Schema>(
    { type: 'boolean' },
    { type: ['string', 'null'] },
    { type: 'integer', nullable: true },
    {}
  )
  return {
    schema: fc.oneof({ maxDepth: 3, depthSize: 'small' }, string, number, simple, object, array, tuple, anyOf)
  }
}).schema

/** Lists of any length of themselves, and an expression of two kinds. */
export const RECURSIVE: readonly Schema[] = [
  {
    $ref: '#/$defs/node',
    $defs: {
      node: {
        type: 'object',
        properties: { value: { type: 'integer' }, next: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] } },
        required: ['value', 'next'],
        additionalProperties: false
      }
    }
  },
  {
    type: 'object',
    properties: { children: { type: 'array', items: { $ref: '#' } } },
    required: ['children'],
    additionalProperties: false
  }
]
