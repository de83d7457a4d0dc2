import fc from 'fast-check'

type Schema = Record<string, unknown>

/** One schema where a condition holds, and another where it does not. */
export function conditional(condition: unknown, yes: unknown, no: unknown): Schema {
  // as entries: an object with `then` would be taken for a promise
  return Object.fromEntries(Object.entries({ if: condition, else: no }).concat([['then', yes]]))
}

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

const counted: fc.Arbitrary<Schema> = fc.oneof(
  fc.constantFrom<Schema>(
    { type: 'string', pattern: '^[a-f]+$', maxLength: 4 },
    { type: 'string', pattern: 'b', minLength: 2, maxLength: 5 },
    { type: 'string', format: 'email', maxLength: 20 },
    { type: 'string', pattern: '^(?=.*[0-9])(?!.*z)[a-z0-9]{2,4}$' },
    { type: 'string', pattern: '^\\p{Lu}\\p{Ll}*$', maxLength: 3 },
    { type: 'string', not: { enum: ['a', 'b'] }, maxLength: 1 },
    { type: 'number', multipleOf: 0.01 },
    { type: 'number', multipleOf: 2.5, minimum: -10, maximum: 10 },
    { type: 'integer', not: { const: 0 }, minimum: -1, maximum: 1 },
    { type: 'array', items: { enum: ['a', 1, null] }, uniqueItems: true, minItems: 1 },
    { type: 'array', items: { enum: [1, 2, 3, 4, 5, 6, 7, 8] }, uniqueItems: true, maxItems: 3 },
    { type: 'array', contains: { const: 'x' }, items: { type: 'string' }, maxItems: 4 },
    { type: 'array', contains: { type: 'null' }, minContains: 2, maxItems: 5 },
    { type: 'object', propertyNames: { pattern: '^[a-c]+$', maxLength: 2 }, maxProperties: 2 },
    { type: 'object', propertyNames: { enum: ['a', 'b'] } },
    { type: 'object', minProperties: 1 },
    { type: 'object', patternProperties: { '^a': { type: 'integer' }, b$: { minimum: 3 } } }
  ),
  fc
    .record({
      low: fc.nat(3),
      span: fc.nat(2),
      required: fc.subarray(['a', 'b']),
      extra: fc.constantFrom<unknown>(false, true)
    })
    .map(({ low, span, required, extra }) => ({
      type: 'object',
      properties: { a: { type: 'null' }, b: { type: 'boolean' }, c: {}, d: false },
      required,
      additionalProperties: extra,
      minProperties: low,
      maxProperties: low + span
    }))
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
  const list = fc.array(tie('schema'), { minLength: 1, maxLength: 3 })
  const anyOf = fc.record({ anyOf: list })
  const together = fc.oneof(
    fc.tuple(tie('schema'), list).map(([one, anyOf]) => ({ ...one, anyOf })),
    fc.tuple(tie('schema'), list).map(([one, oneOf]) => ({ ...one, oneOf })),
    list.map(allOf => ({ allOf })),
    fc.tuple(tie('schema'), tie('schema')).map(([one, not]) => ({ ...one, not })),
    fc.tuple(tie('schema'), tie('schema'), tie('schema')).map(([one, two, three]) => conditional(one, two, three)),
    fc.tuple(object, name, name).map(([one, from, to]) => ({ ...one, dependentRequired: { [from]: [to] } })),
    fc.tuple(object, object).map(([one, two]) => ({ ...one, allOf: [two], unevaluatedProperties: false }))
  )
  const simple = fc.constantFrom<Schema>(
    { type: 'boolean' },
    { type: ['string', 'null'] },
    { type: 'integer', nullable: true },
    {}
  )
  return {
    schema: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      string,
      number,
      counted,
      simple,
      object,
      array,
      tuple,
      anyOf,
      together
    )
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
