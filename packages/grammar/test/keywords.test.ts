import t from 'tap'
import { Grammar } from '../src/index.ts'
import { conditional } from './random-schemas.ts'

function grammarOf(schema: unknown): Grammar {
  return new Grammar({ type: 'json_schema', schema: JSON.stringify(schema) })
}

interface Case {
  readonly id: string
  readonly schema: unknown
  readonly yes: readonly string[]
  readonly no: readonly string[]
}

const cat = { type: 'object', properties: { kind: { const: 'cat', default: 'cat', type: 'string' } } }
const dog = { type: 'object', properties: { kind: { const: 'dog', default: 'dog' }, age: { type: 'integer' } } }

const TOGETHER: readonly Case[] = [
  {
    id: 'a type beside alternatives',
    schema: { type: 'string', anyOf: [{ format: 'date' }, { minLength: 20 }] },
    yes: ['"2020-01-31"', `"${'a'.repeat(20)}"`],
    no: ['"x"', '7']
  },
  {
    id: 'an object beside what one of it must have',
    schema: { type: 'object', properties: { a: {}, b: {} }, anyOf: [{ required: ['a'] }, { required: ['b'] }] },
    yes: ['{"a":1}', '{"b":1}', '{"a":1,"b":2}'],
    no: ['{}', '{"c":1}']
  },
  {
    id: 'exactly one of two members',
    schema: { type: 'object', properties: { a: {}, b: {} }, oneOf: [{ required: ['a'] }, { required: ['b'] }] },
    yes: ['{"a":1}', '{"b":1}'],
    no: ['{}', '{"a":1,"b":2}']
  },
  {
    id: 'siblings of a reference',
    schema: { $ref: '#/$defs/name', maxLength: 3, $defs: { name: { type: 'string', minLength: 2 } } },
    yes: ['"ab"', '"abc"'],
    no: ['"a"', '"abcd"', '1']
  },
  {
    id: 'objects that are joined',
    schema: {
      type: 'object',
      allOf: [
        { properties: { a: { type: 'integer' } }, required: ['a'] },
        { properties: { b: {}, a: { minimum: 3 } }, required: ['b'] }
      ]
    },
    yes: ['{"a":3,"b":1}'],
    no: ['{"a":2,"b":1}', '{"a":3}', '{"b":1}', '{"a":3,"b":1,"c":1}']
  },
  {
    id: 'what one of the joined closes',
    schema: { allOf: [{ properties: { a: {} }, additionalProperties: false }, { properties: { b: {} } }] },
    yes: ['{}', '{"a":1}'],
    no: ['{"b":1}']
  },
  {
    id: 'what is closed around the joined',
    schema: {
      type: 'object',
      allOf: [{ properties: { a: {} } }],
      properties: { b: {} },
      unevaluatedProperties: { type: 'null' }
    },
    yes: ['{"b":1,"a":2}', '{"c":null}'],
    no: ['{"c":1}']
  },
  {
    id: 'lists of types that are joined',
    schema: { type: ['string', 'number'], allOf: [{ type: ['integer', 'null'] }] },
    yes: ['7'],
    no: ['7.5', 'null', '""']
  },
  {
    id: 'lists of themselves that are joined',
    schema: {
      allOf: [{ $ref: '#/$defs/short' }, { $ref: '#/$defs/even' }],
      $defs: {
        short: { type: 'object', properties: { v: { maximum: 9 }, next: { $ref: '#/$defs/short' } } },
        even: {
          type: 'object',
          properties: { v: { type: 'integer', multipleOf: 2 }, next: { $ref: '#/$defs/even' } },
          required: ['v']
        }
      }
    },
    yes: ['{"v":8,"next":{"v":2}}'],
    no: ['{"v":8,"next":{"v":3}}', '{"v":10}', '{"v":8,"next":{}}']
  },
  {
    id: 'branches told apart by a constant that is not required',
    schema: { oneOf: [{ $ref: '#/$defs/cat' }, { $ref: '#/$defs/dog' }], $defs: { cat, dog } },
    yes: ['{"kind":"cat"}', '{"kind":"dog","age":3}'],
    no: ['{}', '{"kind":"cat","age":3}', '{"kind":"cow"}']
  },
  {
    id: 'branches told apart by a constant behind allOf',
    schema: {
      oneOf: [
        { allOf: [{ $ref: '#/$defs/pet' }, { properties: { kind: { enum: ['a', 'b'] } } }] },
        { allOf: [{ $ref: '#/$defs/pet' }, { properties: { kind: { const: 'c' } } }] }
      ],
      $defs: { pet: { type: 'object', properties: { kind: { type: 'string' } }, required: ['kind'] } }
    },
    yes: ['{"kind":"b"}', '{"kind":"c"}'],
    no: ['{"kind":"d"}', '{}']
  },
  { id: 'a list beside limits', schema: { enum: [1, 5, 'a', null], minimum: 2 }, yes: ['5', '"a"', 'null'], no: ['1'] },
  {
    id: 'two lists',
    schema: { enum: [{ a: 1, b: 2 }, [1], 2], allOf: [{ enum: [{ b: 2, a: 1 }, 2] }] },
    yes: ['{"a":1,"b":2}', '2'],
    no: ['[1]']
  },
  {
    id: 'an anchor, and the name of the document itself',
    schema: {
      $id: 'https://example.com/tree',
      type: 'object',
      properties: { at: { $ref: '#leaf' }, next: { $ref: 'https://example.com/tree#/$defs/x' } },
      $defs: { x: { $anchor: 'leaf', type: 'null' } }
    },
    yes: ['{"at":null,"next":null}'],
    no: ['{"at":1}']
  }
]

const CONDITIONS: readonly Case[] = [
  {
    id: 'not a value',
    schema: { type: 'string', not: { enum: ['a', 'b'] } },
    yes: ['"c"', '"ab"'],
    no: ['"a"', '"b"']
  },
  {
    id: 'not a number',
    schema: { type: 'integer', minimum: 1, maximum: 3, not: { const: 2 } },
    yes: ['1', '3'],
    no: ['2']
  },
  { id: 'not a type', schema: { not: { type: ['string', 'object'] } }, yes: ['1', '[]'], no: ['""', '{}'] },
  { id: 'not a pattern', schema: { type: 'string', not: { pattern: '^x' } }, yes: ['"ax"', '""'], no: ['"xa"'] },
  {
    id: 'a list without a pattern',
    schema: { enum: ['xa', 'b', 1], not: { pattern: '^x' } },
    yes: ['"b"'],
    no: ['"xa"']
  },
  {
    id: 'a list without what another says',
    schema: { enum: [1, 2, 'a', null, [1]], not: { anyOf: [{ type: 'string' }, { minimum: 2 }, { const: null }] } },
    yes: ['1'],
    no: ['2', '"a"', 'null']
  },
  {
    id: 'not both',
    schema: { properties: { a: {}, b: {} }, not: { required: ['a', 'b'] } },
    yes: ['{"a":1}', '{}'],
    no: ['{"a":1,"b":1}']
  },
  {
    id: 'one way if, and another if not',
    schema: {
      type: 'object',
      properties: { country: { enum: ['US', 'NL'] }, code: { type: 'string' } },
      required: ['country', 'code'],
      ...conditional(
        { properties: { country: { const: 'US' } } },
        { properties: { code: { pattern: '^[0-9]{2}$' } } },
        { properties: { code: { pattern: '^[A-Z]{2}$' } } }
      )
    },
    yes: ['{"country":"US","code":"12"}', '{"country":"NL","code":"AB"}'],
    no: ['{"country":"US","code":"AB"}', '{"country":"NL","code":"12"}']
  },
  {
    id: 'members that need others',
    schema: {
      properties: { a: {}, b: {}, c: {} },
      dependentRequired: { a: ['b'] },
      dependencies: { c: { required: ['a'] } }
    },
    yes: ['{}', '{"b":1}', '{"a":1,"b":2}', '{"a":1,"b":2,"c":3}'],
    no: ['{"a":1}', '{"c":1}', '{"a":1,"c":1}']
  }
]

const STRINGS: readonly Case[] = [
  {
    id: 'a pattern and a length',
    schema: { pattern: '^[a-z]+$', maxLength: 5 },
    yes: ['"abcde"'],
    no: ['"abcdef"', '""']
  },
  {
    id: 'a pattern that a length cuts',
    schema: { pattern: '^[a-z](?:[a-z-]*[a-z])?$', minLength: 2, maxLength: 3 },
    yes: ['"ab"', '"a-b"'],
    no: ['"a"', '"a-"', '"ab-"', '"abcd"']
  },
  { id: 'characters, not bytes', schema: { pattern: '^é', maxLength: 2 }, yes: ['"é"', '"é日"'], no: ['"éab"'] },
  {
    id: 'two patterns',
    schema: { pattern: 'a', allOf: [{ pattern: 'b' }] },
    yes: ['"ab"', '"ba"', '"xbxa"'],
    no: ['"a"', '"b"']
  },
  {
    id: 'a format and a length',
    schema: { format: 'uri', maxLength: 12 },
    yes: ['"http://a.b/c"'],
    no: ['"http://a.b/cd"']
  },
  { id: 'letters of any script', schema: { pattern: '^\\p{L}+$' }, yes: ['"aéж日"'], no: ['"a1"', '"😀"'] },
  { id: 'no letters', schema: { pattern: '^\\P{Script=Greek}$' }, yes: ['"a"', '"😀"'], no: ['"α"'] },
  {
    id: 'what must come somewhere ahead',
    schema: { pattern: '^(?=.*[A-Z])(?=.*\\d)(?!.*!$).{4,6}$' },
    yes: ['"abA1"', '"1!Abcd"'],
    no: ['"abcd"', '"abA!"', '"A1"', '"abA1!"']
  },
  { id: 'a pointer', schema: { format: 'json-pointer' }, yes: ['""', '"/a~1b/0"'], no: ['"a"', '"/~2"'] },
  { id: 'a time', schema: { format: 'time' }, yes: ['"10:00:00Z"'], no: ['"10:00"'] },
  { id: 'any text', schema: { type: 'string', format: 'color' }, yes: ['"x"'], no: ['1'] }
]

const NUMBERS: readonly Case[] = [
  { id: 'cents', schema: { multipleOf: 0.01 }, yes: ['0.07', '1', '19.99', '-3.5', '1.500'], no: ['0.001', '1.005'] },
  { id: 'halves that are whole', schema: { type: 'integer', multipleOf: 1.5 }, yes: ['3', '-6'], no: ['1', '4'] },
  { id: 'of both', schema: { multipleOf: 4, allOf: [{ multipleOf: 6 }] }, yes: ['12', '0'], no: ['4', '6'] },
  {
    id: 'limits of older drafts',
    schema: { type: 'integer', minimum: 3, exclusiveMinimum: true, maximum: 5 },
    yes: ['4', '5'],
    no: ['3']
  }
]

const CONTAINERS: readonly Case[] = [
  {
    id: 'different items',
    schema: { type: 'array', items: { enum: ['a', 'b', 'c'] }, uniqueItems: true, minItems: 1, maxItems: 2 },
    yes: ['["b"]', '["c","a"]', '["a", "b"]'],
    no: ['[]', '["a","a"]', '["a","b","c"]']
  },
  {
    id: 'different items out of many, in their order',
    schema: { items: { enum: [1, 2, 3, 4, 5, 6, 7, 8, 9] }, uniqueItems: true, minItems: 2, maxItems: 3 },
    yes: ['[1,9]', '[2,3,4]'],
    no: ['[1]', '[1,1]', '[1,2,3,4]']
  },
  {
    id: 'different truths',
    schema: { items: { type: 'boolean' }, uniqueItems: true },
    yes: ['[]', '[true,false]'],
    no: ['[true,true]']
  },
  {
    id: 'different numbers within limits',
    schema: {
      items: { type: 'integer', minimum: 1, exclusiveMaximum: 7, multipleOf: 2 },
      uniqueItems: true,
      minItems: 3
    },
    yes: ['[6,2,4]'],
    no: ['[2,4]', '[2,4,4]', '[1,2,4]', '[2,4,6,8]']
  },
  {
    id: 'an item among others',
    schema: { type: 'array', items: { type: 'integer' }, contains: { minimum: 10 }, minItems: 2, maxItems: 3 },
    yes: ['[1,10]', '[10,1,2]', '[1,2,10]'],
    no: ['[10]', '[1,2]', '[1,2,3]', '[1,2,3,10]']
  },
  {
    id: 'two among others',
    schema: { contains: { const: 'a' }, minContains: 2 },
    yes: ['["a","a"]', '["a",1,"a",2]'],
    no: ['["a"]', '[]']
  },
  {
    id: 'arrays that are joined',
    schema: { prefixItems: [{ type: 'string' }], allOf: [{ items: { maxLength: 1 } }] },
    yes: ['["a"]', '["a","b"]'],
    no: ['["ab"]', '["a","bc"]', '[1]']
  },
  { id: 'a place that nothing may take', schema: { prefixItems: [{}, false] }, yes: ['[]', '[1]'], no: ['[1,2]'] },
  {
    id: 'at least one member',
    schema: { properties: { a: {}, b: {} }, minProperties: 1 },
    yes: ['{"a":1}', '{"b":1}'],
    no: ['{}']
  },
  {
    id: 'one or two members',
    schema: { properties: { a: {}, b: {}, c: {} }, minProperties: 1, maxProperties: 2 },
    yes: ['{"a":1,"c":1}', '{"b":1}'],
    no: ['{}', '{"a":1,"b":1,"c":1}']
  },
  {
    id: 'any member at all',
    schema: { type: 'object', minProperties: 1 },
    yes: ['{"x":1}', '{"x":1,"y":2}'],
    no: ['{}']
  },
  {
    id: 'few members',
    schema: { additionalProperties: { type: 'integer' }, maxProperties: 2 },
    yes: ['{}', '{"x":1,"y":2}'],
    no: ['{"x":1,"y":2,"z":3}']
  },
  {
    id: 'names out of a list',
    schema: { type: 'object', propertyNames: { enum: ['a', 'b'] }, additionalProperties: { type: 'null' } },
    yes: ['{}', '{"a":null,"b":null}'],
    no: ['{"c":null}', '{"a":1}']
  },
  {
    id: 'names of a form',
    schema: { type: 'object', propertyNames: { pattern: '^[a-z]+$', maxLength: 2 } },
    yes: ['{"ab":1}'],
    no: ['{"abc":1}', '{"A":1}', '{"":1}']
  },
  {
    id: 'members by the form of their names',
    schema: {
      properties: { id: { type: 'null' } },
      patternProperties: { '^n': { type: 'integer' }, s$: { type: 'string' } },
      additionalProperties: { type: 'boolean' }
    },
    yes: ['{"id":null,"n1":1,"as":"","x":true}'],
    no: ['{"n1":""}', '{"as":1}', '{"ns":1}', '{"ns":""}', '{"x":1}', '{"n1":true}']
  },
  {
    id: 'a member that is forbidden',
    schema: { properties: { a: false, b: {} } },
    yes: ['{}', '{"b":1}'],
    no: ['{"a":1}']
  },
  { id: 'anything', schema: true, yes: ['1', '{"a":[null]}'], no: ['{'] }
]

for (const cases of [TOGETHER, CONDITIONS, STRINGS, NUMBERS, CONTAINERS]) {
  for (const { id, schema, yes, no } of cases) {
    t.test(id, async t => {
      const grammar = grammarOf(schema)
      for (const text of yes) t.ok(grammar.accepts(text), text)
      for (const text of no) t.notOk(grammar.accepts(text), `not ${text}`)
    })
  }
}
