import type { OutputConstraint } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import t from 'tap'
import { checkConstraint, Grammar } from '../src/index.ts'
import { RECURSIVE, schemas } from './random-schemas.ts'
import { randomText } from './random-text.ts'

const ajv = new Ajv2020({ strict: false, validateFormats: false, multipleOfPrecision: 9 })

function grammarOf(schema: unknown): Grammar {
  return new Grammar({ type: 'json_schema', schema: JSON.stringify(schema) })
}

t.test('every text of a grammar is valid under its schema, and no way is a dead end', async () => {
  let held = 0
  const property = fc.property(schemas, fc.nat(), (schema, seed) => {
    const constraint: OutputConstraint = { type: 'json_schema', schema: JSON.stringify(schema) }
    let relaxed: number
    try {
      relaxed = checkConstraint(constraint).length
    } catch (error) {
      // a random schema may leave no value at all, such as no multiple of seven between two bounds
      return error instanceof Error && /allows no value|which nothing may be/.test(error.message)
    }
    const text = randomText(new Grammar(constraint), seed)
    const value: unknown = JSON.parse(text)
    if (relaxed > 0) return true
    held++
    const validate = ajv.compile(schema)
    if (validate(value)) return true
    throw new Error(`${text} breaks ${ajv.errorsText(validate.errors)}`)
  })
  assertProperty(property, { numRuns: 1500 })
  t.ok(held > 1000, `${held} are held to`)
})

t.test('recursive schemas end too', async t => {
  for (const schema of RECURSIVE) {
    const grammar = grammarOf(schema)
    const validate = ajv.compile(schema)
    for (let seed = 0; seed < 40; seed++) t.ok(validate(JSON.parse(randomText(grammar, seed))))
  }
})

t.test('any object is an object', async t => {
  const grammar = new Grammar({ type: 'json_object' })
  for (let seed = 0; seed < 60; seed++) {
    const value: unknown = JSON.parse(randomText(grammar, seed))
    t.ok(typeof value === 'object' && value !== null && !Array.isArray(value))
  }
  const objects = fc.property(
    fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()),
    fc.constantFrom(0, 2),
    (value, indent) => {
      const text = JSON.stringify(value, undefined, indent)
      // numbers that no double prints so, and exponents of three digits, are left out
      return /[0-9]{16}|e[+-]?[0-9]{3}|\\ud[89a-f]/i.test(text) || grammar.accepts(text)
    }
  )
  assertProperty(objects)
})

t.test('what is accepted, and what is not', async t => {
  const cases: { id: string; schema: unknown; yes: string[]; no: string[] }[] = [
    {
      id: 'members in order, optional ones left out',
      schema: { type: 'object', properties: { a: {}, b: {}, c: {} }, required: ['b'] },
      yes: ['{"b":1}', '{"a":1,"b":2,"c":3}', '{"b": [], "c": {}}', '{\n  "b": 1\n}'],
      no: ['{}', '{"a":1}', '{"c":1,"b":2}', '{"b":1,"d":2}', '{"b":1,}', '{"b":1}}', '{ "b" : 1 }']
    },
    {
      id: 'other members behind the declared ones, and none twice',
      schema: { properties: { ab: { type: 'null' } }, additionalProperties: { type: 'boolean' } },
      yes: ['{}', '{"ab":null}', '{"a":true}', '{"ab":null,"abc":true,"":false}'],
      no: ['{"ab":true}', '{"a":null}', '{"ab":null,"ab":true}', '{"\\u0061b":true}', '{"a":true,"ab":null}']
    },
    {
      id: 'tuples',
      schema: {
        prefixItems: [{ type: 'string' }, { type: 'boolean' }],
        items: { type: 'null' },
        minItems: 1,
        maxItems: 3
      },
      yes: ['["a"]', '["a",true]', '["a", false, null]'],
      no: ['[]', '[true]', '["a",null]', '["a",true,null,null]']
    },
    { id: 'no items', schema: { type: 'array', items: false }, yes: ['[]'], no: ['[1]'] },
    {
      id: 'lengths in characters, not bytes',
      schema: { type: 'string', minLength: 2, maxLength: 3 },
      yes: ['"ab"', '"日本語"', '"😀😀"', '"\\n\\u00e9a"'],
      no: ['"a"', '"abcd"', '"\\ud83d\\ude00"', '"a\nb"']
    },
    {
      id: 'whole numbers in bounds',
      schema: { type: 'integer', minimum: -12, maximum: 105 },
      yes: ['-12', '0', '105', '99', '-0'],
      no: ['-13', '106', '1000', '1.0', '1e1', '01', '-']
    },
    {
      id: 'decimal bounds',
      schema: { type: 'number', exclusiveMinimum: 0.1, maximum: 2.5 },
      yes: ['0.10000000000001', '2.5', '1', '2.50', '0.2'],
      no: ['0.1', '0', '2.51', '3', '1e0', '0.100', '-1', '1.']
    },
    { id: 'multiples', schema: { type: 'integer', multipleOf: 25 }, yes: ['0', '75', '-100'], no: ['7', '80', '5'] },
    {
      id: 'alternatives that no value fits twice',
      schema: {
        oneOf: [
          { type: 'object', properties: { kind: { const: 'a' }, x: {} }, required: ['kind'] },
          { $ref: '#/$defs/b' },
          { type: 'string' }
        ],
        $defs: { b: { type: 'object', properties: { kind: { enum: ['b'] } }, required: ['kind'] } }
      },
      yes: ['{"kind":"a","x":1}', '{"kind":"b"}', '""'],
      no: ['{"kind":"c"}', '{"kind":"b","x":1}']
    },
    { id: 'a pattern anywhere in a text', schema: { type: 'string', pattern: 'b+' }, yes: ['"abba"'], no: ['"aa"'] },
    { id: 'a pattern over escapes', schema: { pattern: '^\\n"\\\\$' }, yes: ['"\\n\\"\\\\"'], no: ['"n\\"\\\\"'] },
    { id: 'null beside a type', schema: { type: 'string', nullable: true }, yes: ['null', '""'], no: ['0'] },
    {
      id: 'a reference by pointer',
      schema: { prefixItems: [{ type: 'null' }, { $ref: '#/prefixItems/0' }] },
      yes: ['[null, null]'],
      no: ['[null,1]']
    }
  ]
  for (const { id, schema, yes, no } of cases) {
    const grammar = grammarOf(schema)
    for (const text of yes) t.ok(grammar.accepts(text), `${id}: ${text}`)
    for (const text of no) t.notOk(grammar.accepts(text), `${id}: not ${text}`)
  }
})

t.test('what is no schema, or has no document, is refused by name', async t => {
  const cases: [unknown, string][] = [
    [{ type: 'date' }, 'schema/type'],
    [{ anyOf: [] }, 'schema/anyOf'],
    [{ allOf: {} }, 'schema/allOf'],
    [{ $ref: '#/$defs/nothing' }, 'schema/$ref'],
    [{ $ref: '#' }, 'schema'],
    [{ allOf: [{ $ref: '#' }] }, 'schema'],
    [{ anyOf: [{ $ref: '#' }, { type: 'null' }] }, 'schema'],
    [{ type: 'object', properties: { self: { $ref: '#' } }, required: ['self'] }, 'schema'],
    [{ type: 'integer', minimum: 3, maximum: 2 }, 'schema'],
    [{ type: 'integer', minimum: '3' }, 'schema/minimum'],
    [{ type: 'string', minLength: -1 }, 'schema/minLength'],
    [{ type: 'string', pattern: 7 }, 'schema/pattern'],
    [{ type: 'number', multipleOf: 0 }, 'schema/multipleOf'],
    [{ type: 'array', items: false, minItems: 1 }, 'schema'],
    [{ enum: ['a'], type: 'integer' }, 'schema'],
    [{ enum: [] }, 'schema'],
    [{ allOf: [{ type: 'string' }, { type: 'number' }] }, 'schema'],
    [{ type: 'object', required: ['a'], additionalProperties: false }, 'schema/required'],
    [{ type: 'object', properties: { a: false }, required: ['a'] }, 'schema/required'],
    [{ properties: { a: 7 } }, 'schema/properties/a'],
    [{ properties: [] }, 'schema/properties'],
    [7, 'schema'],
    [false, 'schema'],
    [{ not: {} }, 'schema'],
    [{ type: 'string', pattern: '^a$', minLength: 2 }, 'schema'],
    [{ description: 'x'.repeat(70_000) }, 'schema'],
    [Array.from({ length: 40 }).reduce<object>(items => ({ type: 'array', items }), {}), `schema${'/items'.repeat(33)}`]
  ]
  for (const [schema, param] of cases) {
    t.throws(
      () => grammarOf(schema),
      { code: 'invalid_request', details: { param } },
      `${JSON.stringify(schema).slice(0, 70)}`
    )
  }
})

t.test('places are called as the caller calls them', async t => {
  const functions = [
    { name: 'a', parameters: '{}' },
    { name: 'b', parameters: '{"not":7}' }
  ]
  const places = { schema: 'format', parameters: (index: number) => `tools[${index}]`, strictSchema: true }
  const check = (constraint: OutputConstraint) => checkConstraint(constraint, places)
  t.throws(() => check({ type: 'tool_calls', functions, parallel: true }), {
    code: 'invalid_request',
    details: { param: 'tools[1]/not' }
  })
  t.throws(() => check({ type: 'json_schema', schema: '{"not":{"format":"date"}}' }), {
    code: 'invalid_request',
    details: { param: 'format/not' }
  })
  t.throws(() => check({ type: 'json_schema', schema: '{' }), { code: 'invalid_request', details: { param: 'format' } })
  t.doesNotThrow(() => check({ type: 'json_object' }))
})

t.test('tool calls are calls of the declared functions', async t => {
  const functions = [
    { name: 'add', parameters: '{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]}' },
    { name: 'now', parameters: '{"type":"object","properties":{}}' }
  ]
  const one = '<tool_call>\n{"name": "add", "arguments": {"x":1}}\n</tool_call>'
  const other = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
  const single = new Grammar({ type: 'tool_calls', functions, parallel: false })
  const several = new Grammar({ type: 'tool_calls', functions, parallel: true })
  t.ok(single.accepts(one))
  t.ok(single.accepts(other))
  t.notOk(single.accepts(`${one}\n${other}`))
  t.ok(several.accepts(`${one}\n${other}\n${one}`))
  t.notOk(several.accepts(one.replace('1', '"1"')))
  t.notOk(several.accepts(''))
  const format = { type: 'json_schema' as const, schema: '{"type":"null"}' }
  const either = new Grammar({ type: 'any_of', options: [format, { type: 'tool_calls', functions, parallel: false }] })
  t.ok(either.accepts('null'))
  t.ok(either.accepts(other))
  t.notOk(either.accepts(`null${other}`))
})

t.test('spaces that a decoder takes away may come first', async t => {
  const grammar = new Grammar({ type: 'json_object' }, 1)
  t.ok(grammar.accepts(' {}'))
  t.ok(grammar.accepts('{}'))
  t.notOk(grammar.accepts('  {}'))
})
