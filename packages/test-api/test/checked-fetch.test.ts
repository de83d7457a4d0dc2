import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { checkFetches } from '../src/index.ts'

const error = { error: { message: 'no', type: 'invalid_request_error', param: null, code: 'x' } }
const model = { id: 'm', object: 'model', created: 1, owned_by: 'me' }

/** A small server's description: what OpenAI has, and what it has not. */
const description = {
  openapi: '3.1.0',
  paths: {
    '/openapi.json': { get: { operationId: 'd', responses: { 200: { content: { 'application/json': {} } } } } },
    '/v1/models/{id}': {
      get: {
        operationId: 'm',
        responses: { 200: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Model' } } } } }
      }
    },
    '/v1/chat/completions': {
      post: {
        operationId: 'c',
        requestBody: { content: { 'application/json': { schema: { type: 'object', required: ['model'] } } } },
        responses: { 200: { content: { 'text/event-stream': { schema: { type: 'object' } } } } }
      }
    },
    '/v1/ours': {
      post: {
        operationId: 'o',
        responses: { 202: { content: { 'application/json': { schema: { type: 'object', required: ['status'] } } } } }
      }
    }
  },
  components: {
    schemas: {
      Model: {
        type: 'object',
        properties: { id: {}, object: {}, created: {}, owned_by: {}, layers: { type: 'integer' } },
        required: ['id']
      }
    }
  }
}

interface Answer {
  readonly status?: number
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

async function serve(t: { teardown(work: () => void): void }, answer: Answer) {
  const listener: RequestListener = (request, response) => {
    const own = request.url === '/openapi.json'
    const { status = 200, type = 'application/json', headers = { 'x-request-id': 'req_1' }, body } = answer
    response.writeHead(own ? 200 : status, own ? { 'x-request-id': 'r' } : { 'content-type': type, ...headers })
    const sent = own ? description : body
    response.end(typeof sent === 'string' ? sent : JSON.stringify(sent))
  }
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, check: checkFetches(url) }
}

const chunk = (delta: object, finish: string | null, more: object = {}) => ({
  id: 'c',
  created: 1,
  model: 'm',
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta, finish_reason: finish, logprobs: null }],
  ...more
})
const events = (...all: unknown[]) =>
  all.map(one => `data: ${typeof one === 'string' ? one : JSON.stringify(one)}\n\n`).join('')
const stream = (...all: unknown[]): Answer => ({ type: 'text/event-stream', body: events(...all) })

const start = chunk({ role: 'assistant', content: '' }, null)
const end = chunk({}, 'stop')
const post = { method: 'POST', body: '{"model":"m"}' }

const cases: readonly {
  readonly id: string
  readonly path: string
  readonly init?: RequestInit
  readonly answer: Answer
  readonly found: readonly RegExp[]
}[] = [
  { id: 'a good answer', path: '/v1/models/a/b', answer: { body: { ...model, layers: 4 } }, found: [] },
  { id: 'a missing field', path: '/v1/models/m', answer: { body: { ...model, object: 1 } }, found: [/OpenAI's/] },
  { id: 'a field not described', path: '/v1/models/m', answer: { body: { ...model, x: 1 } }, found: [/ours?.*"x"/] },
  { id: 'a wrong type', path: '/v1/models/m', answer: { body: { ...model, layers: 'x' } }, found: [/layers.*integer/] },
  { id: 'no JSON', path: '/v1/models/m', answer: { body: 'oops' }, found: [/not JSON/] },
  { id: 'no request id', path: '/v1/models/m', answer: { headers: {}, body: model }, found: [/x-request-id/] },
  { id: 'a good error', path: '/v1/models/m', answer: { status: 404, body: error }, found: [] },
  { id: 'a short error', path: '/v1/x', answer: { status: 500, body: { error: 'no' } }, found: [/\/error/] },
  { id: 'a route not described', path: '/v1/x', answer: { body: {} }, found: [/route is not described/] },
  { id: 'a status not described', path: '/v1/models/m', answer: { status: 201, body: model }, found: [/201/] },
  {
    id: 'a media type not described',
    path: '/v1/models/m',
    answer: { type: 'text/html', body: '' },
    found: [/text.html/]
  },
  { id: 'an extension', path: '/v1/ours', init: post, answer: { status: 202, body: { status: 1 } }, found: [] },
  { id: 'a broken extension', path: '/v1/ours', init: post, answer: { status: 202, body: {} }, found: [/status/] },
  {
    id: 'a body that should not have been taken',
    path: '/v1/chat/completions',
    init: { method: 'POST', body: '{}' },
    answer: stream(start, end, '[DONE]'),
    found: [/took a body.*model/]
  },
  { id: 'a good stream', path: '/v1/chat/completions', init: post, answer: stream(start, end, '[DONE]'), found: [] },
  {
    id: 'an event of a wrong form',
    path: '/v1/chat/completions',
    init: post,
    answer: stream(start, { ...end, object: 'x' }, '[DONE]'),
    found: [/object/]
  },
  {
    id: 'an event of no form',
    path: '/v1/chat/completions',
    init: post,
    answer: stream('hi'),
    found: [/no JSON/, /DONE/]
  },
  {
    id: 'a stream of a wrong order',
    path: '/v1/chat/completions',
    init: post,
    answer: stream(end, start, '[DONE]'),
    found: [/no role/, /after its end/]
  },
  { id: 'a stream that fails', path: '/v1/chat/completions', init: post, answer: stream(start, error), found: [] },
  {
    id: 'a stream that fails in its own words',
    path: '/v1/chat/completions',
    init: post,
    answer: stream(start, { error: {} }),
    found: [/required property/]
  }
]
for (const { id, path, init, answer, found } of cases) {
  t.test(`${id} ${found.length === 0 ? 'passes' : 'is found'}`, async t => {
    const { url, check } = await serve(t, answer)
    const response = await fetch(`${url}${path}`, init)
    const { body = '' } = answer
    t.equal(await response.text(), typeof body === 'string' ? body : JSON.stringify(body), 'and arrives unchanged')
    for (const pattern of found) t.match(check.violations.join('\n'), pattern)
    if (found.length === 0) {
      t.same(check.violations, [])
      await check[Symbol.asyncDispose]()
    } else {
      await t.rejects(check[Symbol.asyncDispose](), /break the API's description/)
    }
    await fetch(`${url}/elsewhere`)
    t.notMatch(check.violations.join(), /elsewhere/, 'a check that ended looks no more')
  })
}
