import { assertProperty } from '@resultity/test-property'
import { type SwarmInit, swarmFor } from '@resultity/testkit'
import fc from 'fast-check'
import type { Test } from 'tap'
import { eventually, meshNodes } from '../mesh-state.ts'
import { untilIdle } from './mesh-jobs.ts'
import { type Components, nearValid, type Schema } from './near-valid.ts'
import { MODEL, questions } from './questions.ts'

interface Operation {
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
}

/** Bodies that no route can make anything of, or next to nothing. */
const broken: readonly {
  readonly id: string
  readonly body: string | Uint8Array<ArrayBuffer>
  readonly type?: string
}[] = [
  { id: 'nothing', body: '' },
  { id: 'half of JSON', body: '{"model":' },
  { id: 'JSON with a tail', body: '{} {}' },
  { id: 'a list', body: '[]' },
  { id: 'a number', body: '17' },
  { id: 'null', body: 'null' },
  { id: 'NaN', body: '{"model":NaN}' },
  { id: 'a poisoned prototype', body: '{"__proto__":{"model":"x"}}' },
  { id: 'a poisoned constructor', body: '{"constructor":{"prototype":{"x":1}}}' },
  { id: 'the same key twice', body: '{"model":"a","model":5}' },
  { id: 'half of a surrogate pair', body: '{"model":"\\ud800"}' },
  { id: 'what is not UTF-8', body: Uint8Array.of(0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d) },
  { id: 'a million levels', body: '['.repeat(1_000_000) },
  { id: 'a hundred closed levels', body: `{"model":${'['.repeat(100)}${']'.repeat(100)}}` },
  {
    id: 'a hundred thousand fields',
    body: JSON.stringify(Object.fromEntries(Array.from({ length: 1e5 }, (_, i) => [i, i])))
  },
  { id: 'XML', body: '<a/>', type: 'application/xml' },
  { id: 'a form', body: 'model=tiny-chat', type: 'application/x-www-form-urlencoded' },
  { id: 'a form without a boundary', body: '--x', type: 'multipart/form-data' },
  { id: 'a form of a wrong boundary', body: '--x\r\n', type: 'multipart/form-data; boundary=y' },
  { id: 'a media type of nonsense', body: '{}', type: ';;;=' }
]

/** Names of things, as paths have them, that do not exist. */
const names = [
  '..%2f..%2f..%2fetc%2fpasswd',
  '..%5c..%5cwindows',
  '%2e%2e',
  '%00',
  '%0d%0aset-cookie:%20a=b',
  '%ff',
  '%',
  "a'%20or%201=1--",
  '%24%7B7*7%7D',
  '%F0%9F%99%82',
  'x'.repeat(1500),
  'x'.repeat(5000),
  '__proto__',
  'constructor',
  '%20',
  '*',
  '{id}'
]

/** Values of query parameters. */
const values = [
  '',
  '-1',
  '0',
  '1e9',
  'NaN',
  'x'.repeat(2000),
  '../..',
  '%00',
  '%ff',
  "'",
  'null',
  '[object Object]',
  '🙂'
]

/** What may come of any input: success, a fault of the client, what is not served, what is not there just now. */
function acceptable(status: number): boolean {
  return status < 500 || status === 501 || status === 503
}

/** Throws at a swarm whatever may come. `runs`: nearly right bodies for each route. */
export async function survivesBadInput(t: Test, runs: number, init: SwarmInit = {}): Promise<void> {
  const [first] = await questions()
  const swarm = await swarmFor(t, { nodes: 2, models: [MODEL], ...init })
  const { url } = swarm
  const before = { pid: swarm.coordinator.pid, nodes: (await swarm.api.nodes()).length }

  const document: {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
    readonly components: { readonly schemas: Components }
  } = await (await fetch(`${url}/openapi.json`)).json()

  /** Right bodies of operations, small enough to be answered at once. What is not here starts from nothing. */
  const messages = [{ role: 'user', content: first.question }]
  const bases: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    '/v1/chat/completions': { model: MODEL, messages, max_tokens: 2 },
    '/v1/completions': { model: MODEL, prompt: first.question, max_tokens: 2 },
    '/v1/embeddings': { model: MODEL, input: first.question },
    '/v1/responses': { model: MODEL, input: first.question, max_output_tokens: 2 },
    '/v1/messages': { model: MODEL, messages, max_tokens: 2 },
    '/v1/messages/count_tokens': { model: MODEL, messages },
    '/api/chat': { model: MODEL, messages, stream: false, options: { num_predict: 2 } },
    '/api/generate': { model: MODEL, prompt: first.question, stream: false, options: { num_predict: 2 } },
    '/api/embed': { model: MODEL, input: first.question },
    '/api/embeddings': { model: MODEL, prompt: first.question },
    '/api/show': { model: MODEL },
    '/v1/rerank': { query: first.question, documents: [first.answer] },
    '/v1/score': { text_1: first.question, text_2: first.answer },
    '/tokenize': { prompt: first.question },
    '/detokenize': { tokens: [1, 2, 3] },
    '/apply-template': { messages },
    '/v1/batches': { input_file_id: 'file-x', endpoint: '/v1/chat/completions', completion_window: '24h' },
    '/v1/admin/keys': { name: 'a key', scopes: ['inference'] }
  }

  const posts = Object.entries(document.paths).flatMap(([path, operations]) =>
    ['post', 'put', 'patch'].flatMap(method => {
      const operation = operations[method]
      return operation === undefined ? [] : [{ method: method.toUpperCase(), path, operation }]
    })
  )
  const bodies = posts.flatMap(({ method, path, operation }) => {
    const schema = operation.requestBody?.content['application/json']?.schema
    return schema === undefined ? [] : [{ method, path: path.replaceAll(/\{\w+\}/g, 'none'), pattern: path, schema }]
  })

  // from the first key on none is let in without: from here on requests come with it
  const { key } = await (
    await fetch(`${url}/v1/admin/keys`, { method: 'POST', body: JSON.stringify({ scopes: ['admin'] }) })
  ).json()
  const authorization = `Bearer ${key}`

  /** Asks and reads all of the answer; that it is in form is checked beneath `fetch`. */
  async function ask(method: string, path: string, init: RequestInit = {}): Promise<{ status: number; text: string }> {
    const headers = { authorization, ...(init.headers as Record<string, string> | undefined) }
    const response = await fetch(`${url}${path}`, { method, ...init, headers })
    return { status: response.status, text: await response.text() }
  }

  for (const { method, path, pattern, schema } of bodies) {
    await t.test(`${method} ${pattern}: nearly right bodies are answered or refused, in form`, async t => {
      const near = nearValid(bases[pattern] ?? {}, schema, document.components.schemas)
      const property = fc.asyncProperty(near, async body => {
        const { status, text } = await ask(method, path, { body: JSON.stringify(body) })
        if (!acceptable(status)) throw new Error(`${status} ${text}`)
      })
      await assertProperty(property, { numRuns: runs })
      t.pass()
    })
  }

  await t.test('every route that takes a body survives what is none', async t => {
    for (const { method, path } of posts) {
      for (const { id, body, type = 'application/json' } of broken) {
        const { status } = await ask(method, path.replaceAll(/\{\w+\}/g, 'none'), {
          body,
          headers: { 'content-type': type }
        })
        t.ok(acceptable(status) && status !== 503, `${method} ${path}: ${id} is ${status}`)
      }
    }
  })

  await t.test('a body that is far too large is refused', async t => {
    const body = JSON.stringify({ ...bases['/v1/chat/completions'], pad: 'x'.repeat(64 * 1024 * 1024) })
    // the server says so and hangs up, perhaps before all of it is sent
    const outcome = await ask('POST', '/v1/chat/completions', { body }).catch((error: unknown) => error)
    if (outcome instanceof Error) t.match(String(outcome.cause), /EPIPE|ECONNRESET|closed|UND_ERR_SOCKET/)
    else t.match(outcome, { status: 413, text: /request_too_large/ })
  })

  await t.test('every name in a path is found or not, and opens nothing else', async t => {
    for (const [path, operations] of Object.entries(document.paths)) {
      if (!path.includes('{')) continue
      for (const method of Object.keys(operations)) {
        for (const name of names) {
          const { status, text } = await ask(
            method.toUpperCase(),
            path.replaceAll(/\{\w+\}/g, () => name)
          )
          t.ok([400, 404, 405, 414].includes(status), `${method} ${path} of ${name.slice(0, 40)} is ${status}`)
          t.notMatch(text, /root:/)
        }
      }
    }
  })

  await t.test('every parameter of every list is understood or refused', async t => {
    for (const [path, operations] of Object.entries(document.paths)) {
      const parameters = (operations.get?.parameters ?? []).filter(parameter => parameter.in === 'query')
      for (const { name } of parameters) {
        for (const value of values) {
          const { status } = await ask('GET', `${path.replaceAll(/\{\w+\}/g, 'none')}?${name}=${value}&${name}=again`)
          t.ok(acceptable(status), `${path}?${name}=${value.slice(0, 40)} is ${status}`)
        }
      }
    }
  })

  await t.test('headers of nonsense change nothing', async t => {
    const body = JSON.stringify(bases['/v1/chat/completions'])
    const cases: readonly (readonly [name: string, value: string])[] = [
      ['idempotency-key', 'x'.repeat(3000)],
      ['idempotency-key', ' '],
      ['prefer', 'respond-async; wait=banana'],
      ['prefer', ',,,;;;'],
      ['last-event-id', 'NaN'],
      ['accept', 'image/*;q=banana'],
      ['accept-encoding', 'br;q=9, nothing'],
      ['x-stainless-retry-count', '-1'],
      ['authorization', 'Basic eDp5'],
      ['authorization', 'Bearer'],
      ['x-forwarded-for', "'; drop table jobs"],
      ['openai-organization', '../..'],
      ['x-request-id', 'a b'],
      ['if-none-match', '*'],
      ['range', 'bytes=9-1']
    ]
    for (const [name, value] of cases) {
      const { status } = await ask('POST', '/v1/chat/completions', { body, headers: { [name]: value } })
      t.ok(acceptable(status) && status !== 503, `${name}: ${value.slice(0, 40)} is ${status}`)
    }
  })

  await t.test('after all that the same processes serve on, and nothing is kept', async t => {
    t.equal(swarm.coordinator.pid, before.pid)
    const headers = { authorization }
    t.equal((await fetch(`${url}/healthz`)).status, 200)
    await eventually(
      'all nodes, even those that a busy machine was slow to hear of',
      () => meshNodes(url, headers),
      nodes => nodes.length === before.nodes
    )
    await untilIdle(url, headers)
    const { status, text } = await ask('POST', '/v1/chat/completions', {
      body: JSON.stringify({ ...bases['/v1/chat/completions'], temperature: 0, max_tokens: 64 })
    })
    t.equal(status, 200)
    t.equal(JSON.parse(text).choices[0].message.content, first.answer)
  })
}
