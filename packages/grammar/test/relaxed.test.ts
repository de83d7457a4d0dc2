import t from 'tap'
import { checkConstraint, Grammar, type RelaxedKeyword } from '../src/index.ts'
import { conditional } from './random-schemas.ts'

function relaxedIn(schema: unknown): readonly string[] {
  return checkConstraint({ type: 'json_schema', schema: JSON.stringify(schema) }).map(({ path }) => path)
}

/** What cannot be held to, and where it stands; with a text that is relaxed for it. */
const CASES: readonly (readonly [schema: unknown, path: string, text: string])[] = [
  [{ type: 'array', items: { type: 'string' }, uniqueItems: true }, '/uniqueItems', '["a","a"]'],
  [{ properties: { a: { not: { format: 'date' } } } }, '/properties/a/not', '{"a":"2020-01-01"}'],
  [{ type: 'string', pattern: '(a)\\1' }, '/pattern', '"b"'],
  [{ type: 'string', pattern: 'a$b', maxLength: 1 }, '/pattern', '"b"'],
  [{ type: 'string', pattern: '\\p{No_Such}' }, '/pattern', '"b"'],
  [{ type: 'string', not: { pattern: '(a)\\1' } }, '/not/pattern', '"aa"'],
  [{ oneOf: [{ type: 'integer' }, { type: 'number' }] }, '/oneOf', '1'],
  [{ $ref: 'https://example.com/schema' }, '/$ref', '1'],
  [{ type: 'object', additionalProperties: {}, minProperties: 2 }, '/minProperties', '{}'],
  [{ type: 'array', contains: { const: 1 }, maxContains: 2 }, '/maxContains', '[1,1,1]'],
  [{ type: 'array', prefixItems: [{}], contains: { const: 1 } }, '/contains', '[2]'],
  [{ $dynamicRef: '#node' }, '/$dynamicRef', '1'],
  [{ type: 'object', properties: { a: { type: 'null', required: true } } }, '/properties/a/required', '{}'],
  [{ type: 'object', patternProperties: { '(a)\\1': false } }, '/patternProperties/(a)\\1', '{}'],
  [conditional({ format: 'date' }, { maxLength: 3 }, true), '/if', '7']
]

t.test('what cannot be held to is relaxed and named, or refused by its name where it must be held to', async t => {
  for (const [schema, path, text] of CASES) {
    const source = JSON.stringify(schema)
    t.ok(relaxedIn(schema).includes(path), `${source} names ${path}`)
    t.ok(new Grammar({ type: 'json_schema', schema: source }).accepts(text), `${source} takes ${text}`)
    const places = { schema: 'format', parameters: String, strictSchema: true }
    t.throws(
      () => checkConstraint({ type: 'json_schema', schema: source }, places),
      { code: 'invalid_request', details: { param: /^format\// } },
      `${source} is refused`
    )
  }
})

t.test('a discriminator tells apart what its options do not', async t => {
  const pet = (name: string) => ({ type: 'object', properties: { kind: { type: 'string' }, [name]: {} } })
  const schema = {
    oneOf: [{ $ref: '#/$defs/Cat' }, { $ref: '#/$defs/Dog' }],
    discriminator: { propertyName: 'kind', mapping: { cat: '#/$defs/Cat', kitten: '#/$defs/Cat' } },
    $defs: { Cat: pet('lives'), Dog: pet('tricks') }
  }
  t.same(relaxedIn(schema), ['/oneOf'])
  const grammar = new Grammar({ type: 'json_schema', schema: JSON.stringify(schema) })
  for (const text of ['{"kind":"cat","lives":9}', '{"kind":"kitten"}', '{"kind":"Dog","tricks":[]}'])
    t.ok(grammar.accepts(text))
  for (const text of ['{"kind":"Cat"}', '{"kind":"cat","tricks":[]}', '{"lives":9}']) t.notOk(grammar.accepts(text))
})

t.test('what is held to names nothing', async t => {
  const held: readonly unknown[] = [
    { type: 'object', properties: { a: { type: 'boolean' } }, propertyOrdering: ['a'], title: 'A', 'x-order': 1 },
    { type: 'string', format: 'password', deprecated: true, default: '', examples: [1], $comment: 'x' },
    { type: 'string', format: 'regex' },
    { type: 'array', uniqueItems: true, maxItems: 1 },
    { type: 'array', uniqueItems: true, items: { enum: [1, 2] } },
    true,
    {}
  ]
  for (const schema of held) t.same(relaxedIn(schema), [], JSON.stringify(schema))
})

t.test('each function has a strictness of its own, and keywords are told apart by their function', async t => {
  const loose = '{"type":"object","properties":{"a":{"type":"array","uniqueItems":true}}}'
  const constraint = {
    type: 'tool_calls',
    parallel: true,
    functions: ['one', 'two'].map(name => ({ name, parameters: loose }))
  } as const
  const path = '/properties/a/uniqueItems'
  const expected: readonly RelaxedKeyword[] = [
    { functionIndex: 0, path },
    { functionIndex: 1, path }
  ]
  t.same(checkConstraint(constraint), expected)
  const places = { schema: 'x', parameters: (index: number) => `tools[${index}]` }
  t.throws(() => checkConstraint(constraint, { ...places, strictParameters: index => index === 1 }), {
    code: 'invalid_request',
    details: { param: `tools[1]${path}` }
  })
})

t.test('only so many are named', async t => {
  const properties = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`p${at}`, { uniqueItems: true }]))
  t.equal(relaxedIn({ properties }).length, 64)
})
