import fc from 'fast-check'
import { hostilePattern } from './patterns.ts'
import { type Scale, someOf } from './scale.ts'
import { hostileName, hostileText } from './texts.ts'
import { boundNumbers, type Json, nested, oddType } from './values.ts'

export type Schema = { [keyword: string]: Json }

type Choice = 'oneOf' | 'anyOf' | 'allOf'

/** `allOf` of more than one schema is refused, so it is rare. */
const choices: fc.Arbitrary<Choice> = fc.constantFrom<Choice>(
  'anyOf',
  'anyOf',
  'anyOf',
  'anyOf',
  'oneOf',
  'oneOf',
  'oneOf',
  'allOf'
)

const leaf: fc.Arbitrary<Schema> = fc.constantFrom<Schema>(
  { type: 'string' },
  { type: 'integer' },
  { type: 'boolean' },
  { type: 'null' },
  { const: 'x' },
  { enum: ['a', 1, null] },
  {}
)

/** How one level of a schema holds the next. Each text grows by a little, what it means may double. */
const WRAPS: readonly ((inner: Schema, choice: Choice) => Schema)[] = [
  (inner, choice) => ({ [choice]: [inner, { type: 'null' }] }),
  (inner, choice) => ({
    [choice]: [
      { type: 'array', items: inner },
      { type: 'object', properties: { a: inner } }
    ]
  }),
  (inner, choice) => ({
    [choice]: ['p', 'q'].map(kind => ({
      type: 'object',
      properties: { kind: { const: kind }, a: inner },
      required: ['kind', 'a']
    }))
  }),
  inner => ({ type: 'array', items: inner, minItems: 1 }),
  inner => ({ type: 'object', properties: { a: inner, b: inner }, required: ['a'] }),
  inner => ({ type: 'object', additionalProperties: inner })
]

/** Most doublings by copies that still fit the characters of a schema. */
const COPIED_CHARACTERS_MAX = 50_000

function nestedChoices({ depth }: Scale): fc.Arbitrary<Schema> {
  const level = fc.tuple(fc.nat(WRAPS.length - 1), choices)
  return fc.tuple(leaf, fc.array(level, { minLength: 1, maxLength: Math.min(depth, 34) })).map(([core, levels]) => {
    let schema: Schema = core
    for (const [wrap, choice] of levels) {
      const next = WRAPS[wrap]?.(schema, choice) ?? schema
      if (JSON.stringify(next).length > COPIED_CHARACTERS_MAX) break
      schema = next
    }
    return schema
  })
}

/** Definitions that name the one before twice: a text that grows by lines and doubles in meaning. */
function doublingReferences({ depth }: Scale): fc.Arbitrary<Schema> {
  return fc.tuple(someOf(depth), fc.nat(WRAPS.length - 1), choices).map(([levels, wrap, choice]) => {
    const definitions: Schema = { d0: { type: 'string' } }
    for (let level = 1; level <= levels; level++) {
      definitions[`d${level}`] = WRAPS[wrap]?.({ $ref: `#/$defs/d${level - 1}` }, choice) ?? {}
    }
    return { $ref: `#/$defs/d${levels}`, $defs: definitions }
  })
}

const recursive: fc.Arbitrary<Schema> = fc.constantFrom<Schema>(
  { $ref: '#' },
  { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } } },
  { anyOf: [{ $ref: '#' }, { $ref: '#' }] },
  { oneOf: [{ $ref: '#' }, { type: 'null' }] },
  {
    oneOf: [
      { type: 'array', items: { $ref: '#' } },
      { type: 'object', properties: { a: { $ref: '#' } } }
    ]
  },
  { allOf: [{ $ref: '#' }] },
  { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] },
  { type: 'array', items: { $ref: '#' } },
  { type: 'array', items: { $ref: '#' }, minItems: 2, maxItems: 2 },
  { type: 'object', additionalProperties: { $ref: '#' } },
  { type: 'object', properties: { a: { $ref: '#/properties/b' }, b: { $ref: '#/properties/a' } }, required: ['a'] },
  {
    $defs: {
      t: { oneOf: [{ const: 'x' }, { type: 'object', properties: { t: { $ref: '#/$defs/t' } }, required: ['t'] }] }
    },
    type: 'array',
    prefixItems: [{ $ref: '#/$defs/t' }, { $ref: '#/$defs/t' }],
    items: false
  },
  { $ref: '#/$defs/a~1b', $defs: { 'a/b': { type: 'string' } } },
  { $ref: '#/$defs/%zz', $defs: {} },
  { $ref: '#/__proto__' },
  { $ref: '#/constructor/prototype' },
  { $ref: 'https://example.invalid/schema.json' },
  { $ref: 'file:///etc/passwd' }
)

function enumerations(scale: Scale): fc.Arbitrary<Schema> {
  const total = Math.min(scale.characters, 60_000)
  return fc.oneof(
    someOf(Math.min(scale.width, 2_000)).map(count => ({
      enum: Array.from({ length: count }, (_, index) => `${index}`.padStart(Math.floor(total / count / 2), 'x'))
    })),
    someOf(scale.width).map(count => ({
      enum: Array.from({ length: count }, (_, index) => ({ a: [index, { b: index }] }))
    })),
    hostileText({ ...scale, characters: total }).map(text => ({ const: text })),
    someOf(scale.depth).map(depth => ({ const: nested(depth, 'both') })),
    fc.array(oddType, { maxLength: 8 }).map(values => ({ enum: values }))
  )
}

function objects(scale: Scale): fc.Arbitrary<Schema> {
  const names = fc.oneof(
    fc.array(hostileName(scale), { maxLength: 6 }),
    someOf(scale.width).map(count => Array.from({ length: count }, (_, index) => `p${index}`)),
    someOf(Math.min(scale.characters, 60_000)).map(length => ['n'.repeat(length)])
  )
  return fc
    .tuple(names, leaf, fc.constantFrom<'all' | 'none' | 'others'>('all', 'none', 'others'), fc.boolean())
    .map(([keys, value, required, open]) => ({
      type: 'object',
      properties: Object.fromEntries(keys.map(key => [key, value])),
      required: required === 'all' ? keys : required === 'none' ? [] : ['of another name'],
      additionalProperties: open
    }))
}

function bounds(scale: Scale): fc.Arbitrary<Schema> {
  const count = fc.oneof(someOf(scale.width), boundNumbers)
  const number = fc.record(
    {
      type: fc.constantFrom('number', 'integer'),
      minimum: boundNumbers,
      maximum: boundNumbers,
      exclusiveMinimum: boundNumbers,
      exclusiveMaximum: boundNumbers,
      multipleOf: fc.oneof(fc.constantFrom(0, 7, 9973, 1e9 + 7, 0.01), boundNumbers)
    },
    { requiredKeys: ['type'] }
  )
  const text = fc.record(
    { type: fc.constant('string'), minLength: count, maxLength: count },
    { requiredKeys: ['type'] }
  )
  const list = fc.record(
    {
      type: fc.constant('array'),
      items: fc.oneof(leaf, number),
      prefixItems: someOf(scale.width).map(length => Array.from({ length }, () => ({ type: 'integer' }))),
      minItems: count,
      maxItems: count
    },
    { requiredKeys: ['type'] }
  )
  return fc.oneof(number, text, list) as fc.Arbitrary<Schema>
}

const oddKeyword: fc.Arbitrary<Schema> = fc
  .tuple(
    fc.constantFrom(
      'type',
      'properties',
      'required',
      'items',
      'enum',
      'oneOf',
      'anyOf',
      'allOf',
      '$ref',
      '$defs',
      'not'
    ),
    oddType
  )
  .map(([keyword, value]) => ({ type: 'object', [keyword]: value }))

function strings(scale: Scale): fc.Arbitrary<Schema> {
  const format = fc.constantFrom('date', 'time', 'date-time', 'duration', 'email', 'hostname', 'ipv6', 'uri', 'x')
  return fc.oneof(
    hostilePattern(scale).map(pattern => ({ type: 'string', pattern })),
    format.map(name => ({ type: 'string', format: name }))
  )
}

/** A JSON Schema that a client might use to do harm. */
export function hostileSchema(scale: Scale): fc.Arbitrary<Schema> {
  return fc.oneof(
    { weight: 4, arbitrary: nestedChoices(scale) },
    { weight: 2, arbitrary: doublingReferences(scale) },
    { weight: 2, arbitrary: recursive },
    { weight: 2, arbitrary: enumerations(scale) },
    { weight: 2, arbitrary: objects(scale) },
    { weight: 5, arbitrary: strings(scale) },
    { weight: 2, arbitrary: bounds(scale) },
    { weight: 1, arbitrary: oddKeyword }
  )
}

/** The same where only an object will do. */
export function hostileObjectSchema(scale: Scale): fc.Arbitrary<Schema> {
  return fc.oneof(
    { weight: 3, arbitrary: hostileSchema(scale).map(property) },
    { weight: 1, arbitrary: hostileSchema(scale) }
  )
}

/** `$ref` points from the root, so what it points to goes along. */
function property({ $defs, ...schema }: Schema): Schema {
  const definitions = $defs === undefined ? {} : { $defs }
  return { type: 'object', properties: { a: schema }, required: ['a'], additionalProperties: false, ...definitions }
}
