import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

/**
 * Bodies of any shape, and such as are nearly right, to every route that takes one: whatever is wrong with them is the
 * client's to hear.
 */
const RUNS_A_ROUTE = 12
/** Of those whose bodies have many fields. */
const RUNS_OF_SEEDED = 80

/** On a busy machine a route takes some seconds. */

const mesh = await startScriptedMesh(1, {
  limits: { constraintCheckMs: 250, slotWaitMs: 2000, jobSweepMs: 100 },
  aliases: {}
})
t.teardown(() => mesh[Symbol.asyncDispose]())
const { httpUrl } = mesh.coordinator
// some of the bodies make a key, and from then on every request needs one
const made = await fetch(`${httpUrl}/v1/admin/keys`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: '{"name":"own","scopes":["admin"]}'
})
const authorization = `Bearer ${(await made.json()).key}`
mesh.ring.script = async ({ sample, open, prompt, stages }) => {
  const { session, epoch, promptLogprobs } = open
  const top = Array.from({ length: open.topLogprobs }, (_, rank) => ({ token: rank + 10, logprob: -rank }))
  const scores = prompt.slice(1).map(() => ({ logprob: -1, top }))
  if (promptLogprobs) await stages.at(-1)?.send({ type: 'scores', session, epoch, position: 1, scores })
  await sample(Array(open.tokensMax).fill(5), 'tokens_max')
}

const name = 'n'.repeat(4001)
const recursive = { $ref: '#/$defs/a', $defs: { a: { oneOf: [{ $ref: '#/$defs/a' }, { type: 'null' }] } } }
/** Alternatives that can only be told apart by going into themselves. */
const again = { type: 'object', required: ['a'], properties: { a: { $ref: '#/$defs/again' } } }
const endless = { $defs: { again }, oneOf: [{ ...again }, { ...again }] }
const named = (characters: number) => ({
  type: 'object',
  properties: { ['n'.repeat(characters)]: { type: 'integer' } }
})
const leaf = { oneOf: [{ type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] }, { type: 'string' }] }
const deep = (depth: number): unknown => (depth === 0 ? 1 : [deep(depth - 1)])
const deepText = '['.repeat(3000) + ']'.repeat(3000)

/** What no part of a request is made for. */
const hostileValues: readonly unknown[] = [
  null,
  true,
  '',
  '\ud800',
  '\u0000',
  'x'.repeat(5000),
  '__proto__',
  'constructor',
  '../../etc/passwd',
  deepText,
  -1,
  1e308,
  5e-324,
  2 ** 53,
  0.5,
  [],
  [[]],
  {},
  { '': {} },
  { [name]: { type: 'string' } },
  { constructor: { prototype: { a: 1 } }, toString: 1, hasOwnProperty: 1 },
  deep(40),
  Array(300).fill({}),
  Array(300).fill('x'),
  { type: 'object', properties: { [name]: { type: 'integer' } }, required: [name] },
  { type: 'json_schema', json_schema: { name: 'x', schema: recursive } },
  { type: 'json_schema', json_schema: { name: 'x', schema: leaf } },
  { type: 'json_schema', json_schema: { name: 'x', schema: endless } },
  { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object', properties: { [name]: leaf } } } },
  { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'string', pattern: '^((a{0,14}){0,14}){0,14}$' } } },
  { type: 'json_schema', name: 'x', schema: { const: 'y'.repeat(60_000) } },
  [{ type: 'function', function: { name: 'f', parameters: recursive } }],
  [{ type: 'function', function: { name: 'f', parameters: { [name]: 1 } } }],
  [{ type: 'function', name: 'f', parameters: leaf }]
]

const messages = [
  { role: 'system', content: 'x' },
  {
    role: 'assistant',
    content: null,
    tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }]
  },
  { role: 'tool', tool_call_id: 'a', content: 'x' },
  { role: 'user', content: [{ type: 'text', text: 'x' }] }
]
const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }]
const schema = { type: 'object', properties: { a: { type: 'string' } } }
const format = { type: 'json_schema', json_schema: { name: 'x', schema } }

/** Nearly right, so that what is put into them gets far. */
const bodies: Readonly<Record<string, readonly object[]>> = {
  '/v1/chat/completions': [
    { ...QUESTION, messages, max_tokens: 2, tools, tool_choice: 'auto', temperature: 1, stop: ['x'], n: 1 },
    { ...QUESTION, max_tokens: 2, response_format: format, logit_bias: { 5: 1 }, logprobs: true, top_logprobs: 1 },
    { ...QUESTION, max_tokens: 2, tools, tool_choice: 'required', mesh: { stages: 1, region: 'a', nodes: ['x'] } },
    {
      ...QUESTION,
      max_tokens: 2,
      models: ['tiny-chat', 'tiny-chat'],
      strategy: 'vote',
      vote: { field: 'a' },
      judge: {}
    }
  ],
  '/v1/completions': [
    { model: 'tiny-chat', prompt: ['x', 'y'], max_tokens: 1, echo: true, logprobs: 1, suffix: '', best_of: 1 },
    { model: 'tiny-chat', prompt: [1, 2], max_tokens: 1, stop: 'x', logit_bias: { 1: 1 } }
  ],
  '/v1/responses': [
    { model: 'tiny-chat', input: 'x', max_output_tokens: 2, instructions: 'y', metadata: { a: 'b' }, include: [] },
    {
      model: 'tiny-chat',
      max_output_tokens: 2,
      input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'x' }] }],
      text: { format: { type: 'json_schema', name: 'x', schema } },
      tools: [{ type: 'function', name: 'f', parameters: schema }],
      tool_choice: 'auto'
    }
  ],
  '/v1/embeddings': [{ model: 'tiny-chat', input: ['x'], dimensions: 2, encoding_format: 'float' }],
  '/v1/batch': [
    {
      requests: [{ custom_id: 'a', method: 'POST', url: '/v1/chat/completions', body: { ...QUESTION, max_tokens: 1 } }]
    }
  ],
  '/v1/batches': [
    { input_file_id: 'file-x', endpoint: '/v1/chat/completions', completion_window: '24h', metadata: {} }
  ],
  '/v1/webhooks': [{ url: 'https://example.com/x', events: ['job.failed'] }],
  '/v1/admin/keys': [{ name: 'x', scopes: ['inference'], limits: { requests_per_second: 1 }, namespace: 'a' }]
}

/** Every place in a value, as the keys that lead there. */
function placesOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([key, inner]) => placesOf(inner, [...path, key]))]
}

function replaced(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by
  const inner = replaced((value as Record<string, unknown>)[key], rest, by)
  if (Array.isArray(value)) return value.map((item, index) => (String(index) === key ? inner : item))
  return { ...(value as object), [key]: inner }
}

const anything = fc.oneof(fc.constantFrom(...hostileValues), fc.jsonValue({ maxDepth: 5 }))

/** A body with something else in one or two of its places. */
function mutated(seeds: readonly object[]): fc.Arbitrary<unknown> {
  return fc.constantFrom(...seeds).chain(body => {
    const change = fc.tuple(fc.constantFrom(...placesOf(body).filter(path => path.length > 0)), anything)
    return fc.array(change, { minLength: 1, maxLength: 2 }).map(changes => {
      const [first, second] = changes
      const once = first === undefined ? body : replaced(body, first[0], first[1])
      // the second is of another field, so that its place is still there
      const other = second !== undefined && second[0][0] !== first?.[0][0]
      return other ? replaced(once, second[0], second[1]) : once
    })
  })
}

/** JSON that is cut off, of bytes that are none, or with numbers that JSON cannot say. */
const broken = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc.jsonValue().map(value => JSON.stringify(value).slice(0, -1)),
  fc.constantFrom('{"model":NaN}', '{"a":1,"a":2}', `{"a":${deepText}}`, '{"__proto__":{"a":1}}', '[1e999]')
)

const chat = '/v1/chat/completions'
const formatOf = (schema: object) => ({ response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } })
const toolOf = (parameters: object) => ({ tools: [{ type: 'function', function: { name: 'f', parameters } }] })
const callWith = (text: string) => ({ id: 'a', type: 'function', function: { name: 'f', arguments: text } })

/** Bodies that once were answered 500, or not at all. */
const attacks: readonly [path: string, body: object][] = [
  ...[endless, named(4000), named(12_000), named(60_000), { const: 'y'.repeat(60_000) }].flatMap(
    (hostile): [string, object][] => [
      [chat, { ...QUESTION, max_tokens: 1, ...formatOf(hostile) }],
      [chat, { ...QUESTION, max_tokens: 1, ...toolOf(hostile), tool_choice: 'required' }],
      [
        '/v1/responses',
        { model: 'tiny-chat', input: 'x', text: { format: { type: 'json_schema', name: 'x', schema: hostile } } }
      ]
    ]
  ),
  [chat, { ...QUESTION, messages: [{ role: 'assistant', tool_calls: [callWith(deepText)] }] }],
  [
    chat,
    {
      ...QUESTION,
      ...toolOf({ type: 'object', properties: null }),
      messages: [{ role: 'assistant', tool_calls: [callWith('5')] }]
    }
  ]
]

for (const [at, [path, body]] of attacks.entries()) {
  t.test(`attack ${at} on ${path} is the client's to hear of`, async t => {
    const headers = { 'content-type': 'application/json', authorization }
    const response = await fetch(httpUrl + path, { method: 'POST', headers, body: JSON.stringify(body) })
    t.ok(response.status < 500 || response.status === 503, `${response.status} ${await response.text()}`.slice(0, 300))
  })
}

interface Operation {
  readonly requestBody?: unknown
}

const document: { paths: Record<string, Record<string, Operation>> } = await (
  await fetch(`${httpUrl}/openapi.json`)
).json()
const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.keys(methods)
    .filter(method => ['post', 'put', 'patch'].includes(method))
    .map(method => ({ method: method.toUpperCase(), path }))
)

t.ok(routes.length > 10, `${routes.length} routes take a body`)

for (const { method, path } of routes) {
  t.test(`${method} ${path} answers no body with an error of the server`, async t => {
    const url = httpUrl + path.replaceAll(/\{\w+\}/g, 'x')
    const seeds = bodies[path]
    const statuses = new Set<number>()
    const json =
      seeds === undefined
        ? anything
        : fc.oneof({ weight: 4, arbitrary: mutated(seeds) }, { weight: 1, arbitrary: anything })
    const sent = fc.oneof(
      { weight: 5, arbitrary: json.map(value => JSON.stringify(value)) },
      { weight: 1, arbitrary: broken }
    )
    await assertProperty(
      fc.asyncProperty(sent, async body => {
        const headers = { 'content-type': 'application/json', authorization }
        const response = await fetch(url, { method, headers, body: body as BodyInit })
        const text = await response.text()
        const intended = response.status < 500 || response.status === 501 || response.status === 503
        statuses.add(response.status)
        if (!intended) throw new Error(`${response.status} ${text.slice(0, 500)}`)
      }),
      { numRuns: seeds === undefined ? RUNS_A_ROUTE : RUNS_OF_SEEDED }
    )
    t.comment(`${path}: ${[...statuses].join(' ')}`)
    t.notOk(statuses.has(401), 'all were let in')
    t.equal((await fetch(`${httpUrl}/healthz`)).status, 200)
  })
}
