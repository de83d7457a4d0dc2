import { once } from 'node:events'
import { connect } from 'node:net'
import { openAiErrors } from '@resultity/test-api'
import t from 'tap'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(1, {
  contextLength: 128,
  corsOrigins: ['https://chat.example.org'],
  limits: { headerBytesMax: 8192 }
})
t.teardown(() => mesh[Symbol.asyncDispose]())
const { httpUrl } = mesh.coordinator
const { port } = new URL(httpUrl)

async function ask(method: string, path: string, init: RequestInit = {}) {
  const response = await fetch(`${httpUrl}${path}`, { method, ...init })
  const text = await response.text()
  const type = response.headers.get('content-type') ?? ''
  const body = type.startsWith('application/json') && text !== '' ? JSON.parse(text) : text
  return { status: response.status, headers: Object.fromEntries(response.headers), body }
}

/** What the server says to bytes that no HTTP library would send. */
async function askRaw(request: string | Buffer) {
  const socket = connect({ port: Number(port), host: '127.0.0.1' })
  socket.write(request)
  let text = ''
  socket.on('data', piece => {
    text += piece
  })
  await once(socket, 'close')
  const [head = '', body = ''] = text.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), head, body: JSON.parse(body) }
}

t.test('what is not served says whether it exists, for whom, and whether to try again', async t => {
  const cases = [
    ['GET', '/v1/nothing', 404, 'unknown_url'],
    ['POST', '/', 405, 'method_not_allowed'],
    ['POST', '/v1/assistants', 404, 'unknown_url'],
    ['POST', '/v1/vector_stores/x/search', 404, 'unknown_url'],
    ['POST', '/v1/fine_tuning/jobs', 404, 'unknown_url'],
    ['PUT', CHAT, 405, 'method_not_allowed'],
    ['DELETE', `${CHAT}?x=1`, 405, 'method_not_allowed'],
    ['POST', '/v1/models/tiny-chat', 405, 'method_not_allowed'],
    ['PROPFIND', '/v1/models', 405, 'method_not_allowed'],
    ['POST', '/v1/uploads', 501, 'not_implemented'],
    ['POST', '/v1/videos', 501, 'not_implemented'],
    ['POST', '/v1/responses/compact', 501, 'not_implemented'],
    ['POST', '/v1/responses/resp_1', 405, 'method_not_allowed'],
    ['POST', '/v1/messages/batches', 501, 'not_implemented'],
    ['GET', '/v1/videos/video_1/content?variant=thumbnail', 501, 'not_implemented'],
    ['GET', '/v1/uploads', 404, 'unknown_url']
  ] as const
  for (const [method, path, status, code] of cases) {
    const answer = await ask(method, path)
    t.match(answer, { status, body: { error: { code, param: null } } }, `${method} ${path}`)
    t.same(openAiErrors('ErrorResponse', answer.body), [], 'as OpenAI words errors')
    t.equal(answer.headers['x-should-retry'], status === 501 ? 'false' : undefined, 'trying again does not help')
    t.equal(answer.headers['retry-after'], undefined)
    t.equal(answer.headers.allow !== undefined, status === 405, 'a wrong method hears of the right ones')
  }
  t.match(await ask('DELETE', '/v1/models'), { headers: { allow: 'GET, HEAD' } })
  const form = new FormData()
  form.set('image', new Blob(['x'.repeat(100_000)]), 'x.png')
  t.match(await ask('POST', '/v1/videos', { body: form }), { status: 501 }, 'the body is not looked at')
  t.match(await ask('HEAD', '/v1/models'), { status: 200, body: '' })
})

t.test('the address itself says what answers there, and where everything else is', async t => {
  const { status, body } = await ask('GET', '/')
  t.equal(status, 200)
  t.match(body, { name: 'Resultity Mesh', api: '/v1' })
  for (const path of [body.docs, body.openapi, body.health]) {
    t.equal((await fetch(`http://127.0.0.1:${port}${path}`)).status, 200, path)
  }
  t.same((await ask('GET', '/health')).body, (await ask('GET', '/healthz')).body, 'by its other name')
})

t.test('an empty body is none, and only where one is needed a fault', async t => {
  const headers = { 'content-type': 'application/json' }
  t.match(await ask('POST', CHAT, { headers }), { status: 400, body: { error: { message: /empty/, param: null } } })
  t.match(await ask('POST', CHAT), { status: 400, body: { error: { code: 'invalid_request' } } })
})

t.test('a body that is no JSON in UTF-8, or nests too deep, is refused before it is looked at', async t => {
  const latin = Buffer.from(JSON.stringify(QUESTION).replace('What', 'Ça'), 'latin1')
  t.match(await ask('POST', CHAT, { body: latin }), { status: 400, body: { error: { message: /not UTF-8/ } } })
  const surrogate = Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')])
  t.match(await ask('POST', CHAT, { body: surrogate }), { status: 400, body: { error: { message: /not UTF-8/ } } })
  const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(JSON.stringify({ ...QUESTION, n: 0 }))])
  t.match(await ask('POST', CHAT, { body: marked }), { body: { error: { param: 'n' } } }, 'a byte order mark is let by')
  const lists = (depth: number) => JSON.stringify({ ...QUESTION, n: 0, x: 0 }).replace('"x":0', `"x":${nested(depth)}`)
  t.match(await ask('POST', CHAT, { body: lists(63) }), { body: { error: { param: 'n' } } }, '64 levels are read')
  t.match(await ask('POST', CHAT, { body: lists(64) }), { status: 400, body: { error: { message: /64 levels/ } } })
  t.match(await ask('POST', CHAT, { body: '['.repeat(4_000_000) }), { status: 400, body: { error: { param: null } } })
  t.match(await ask('POST', CHAT, { body: nested(2_000_000) }), { body: { error: { message: /64 levels/ } } })
})

function nested(depth: number): string {
  return '['.repeat(depth) + ']'.repeat(depth)
}

t.test('what is no HTTP request gets the same error body', async t => {
  const long = `GET /v1/models HTTP/1.1\r\nhost: x\r\nx-pad: ${'x'.repeat(9000)}\r\n\r\n`
  const cases = [
    { id: 'no HTTP', request: 'hello\r\n\r\n', status: 400, code: 'invalid_request' },
    { id: 'an unknown method', request: 'BREW / HTTP/1.1\r\nhost: x\r\n\r\n', status: 400, code: 'invalid_request' },
    { id: 'no host', request: 'GET / HTTP/1.1\r\nconnection: close\r\n\r\n', status: 400 },
    { id: 'too many headers', request: long, status: 431, code: 'headers_too_large' },
    { id: 'a header with a line break', request: 'GET / HTTP/1.1\r\nhost: x\r\na: b\n c: d\r\n\r\n', status: 400 },
    { id: 'noise', request: Buffer.from([0x16, 3, 1, 0, 200, 1, 0, 0, 0xff]), status: 400, code: 'invalid_request' }
  ]
  for (const { id, request, status, code } of cases) {
    const answer = await askRaw(request)
    t.equal(answer.status, status, id)
    t.match(answer.head, /x-request-id: req_/, id)
    t.same(openAiErrors('ErrorResponse', answer.body), [], id)
    if (code !== undefined) t.equal(answer.body.error.code, code, id)
  }
  t.match(await ask('GET', '/v1/models/%ff'), { status: 400, body: { error: { message: /percent/ } } })
  t.match(await ask('GET', `/v1/models/${'x'.repeat(2000)}`), { body: { error: { type: 'invalid_request_error' } } })
  t.match((await ask('GET', '/v1/models/%ff')).headers['x-request-id'], /^req_/)
})

t.test('a client may name its request, and cannot make our name for it', async t => {
  const named = await ask('GET', '/healthz', {
    headers: { 'x-client-request-id': 'trace:1/a.b', 'x-request-id': 'mine', 'request-id': 'mine' }
  })
  t.equal(named.headers['x-client-request-id'], 'trace:1/a.b')
  t.match(named.headers['x-request-id'], /^req_[0-9a-f]{32}$/)
  for (const id of ['a b', 'x'.repeat(513), '<script>', 'a;b', 'é']) {
    const { headers, status } = await ask('GET', '/healthz', { headers: { 'x-client-request-id': id } })
    t.match({ status, id: headers['x-client-request-id'] }, { status: 200, id: undefined }, `not ${id.slice(0, 20)}`)
  }
})

t.test('pages of allowed origins may use the API, and no others', async t => {
  for (const origin of ['https://chat.example.org', 'http://localhost:5173', 'http://127.0.0.1:3000', 'http://[::1]']) {
    const answer = await ask('GET', '/v1/models', { headers: { origin } })
    t.match(answer, { status: 200, headers: { 'access-control-allow-origin': origin, vary: /origin/i } }, origin)
    t.match(answer.headers['access-control-expose-headers'], /x-request-id/)
    const asked = { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' }
    const preflight = await ask('OPTIONS', CHAT, { headers: asked })
    t.match(preflight, {
      status: 204,
      headers: {
        'access-control-allow-origin': origin,
        'access-control-allow-methods': /POST/,
        'access-control-allow-headers': 'authorization'
      }
    })
    const missing = await ask('POST', '/v1/images/edits', { headers: { origin } })
    t.equal(missing.headers['access-control-allow-origin'], origin, 'a page can read errors')
  }
  const streamed = await fetch(`${httpUrl}${CHAT}`, {
    method: 'POST',
    headers: { origin: 'https://chat.example.org' },
    body: JSON.stringify({ ...QUESTION, max_tokens: 1, stream: true })
  })
  await streamed.text()
  t.equal(streamed.headers.get('access-control-allow-origin'), 'https://chat.example.org', 'and streams')
  for (const origin of [
    'https://evil.example',
    'http://localhost.evil.example',
    'https://chat.example.org:444',
    'null'
  ]) {
    const answer = await ask('POST', CHAT, { headers: { origin }, body: JSON.stringify(QUESTION) })
    t.match(answer, { status: 403, body: { error: { code: 'permission_denied', message: /--cors-origin/ } } }, origin)
    t.equal(answer.headers['access-control-allow-origin'], undefined)
    t.equal((await ask('OPTIONS', CHAT, { headers: { origin } })).status, 403)
  }
  t.equal((await ask('GET', '/v1/models', { headers: { origin: httpUrl } })).status, 200, 'nor is it closed to itself')
  t.equal((await ask('OPTIONS', CHAT)).status, 404, 'what is no preflight is no route')
})

t.test('answers tell browsers to make nothing of them', async t => {
  for (const path of ['/v1/models', '/v1/nothing', CHAT]) {
    const { headers } = await ask('GET', path)
    t.match(headers, {
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer'
    })
    t.notOk(headers['strict-transport-security'], 'TLS is not ours to promise')
    t.notOk(headers['x-powered-by'])
  }
})

t.test('the docs page comes with its script and lets it run', async t => {
  const page = await ask('GET', '/docs')
  t.match(page, {
    status: 200,
    headers: { 'content-type': /^text\/html/, 'content-security-policy': /script-src 'self'/ }
  })
  t.match(page.body, /"url":"\/openapi.json"/)
  for (const [, source] of page.body.matchAll(/(?:src|href)="([^"]+)"/g)) {
    const { status, headers, body } = await ask('GET', source)
    t.match({ status, headers }, { status: 200, headers: { 'content-type': /^text\/javascript/ } }, source)
    t.ok(body.length > 1e6, 'all of it')
  }
})

t.test('a request that expects the impossible is told so in the usual words', async t => {
  const request = 'GET /healthz HTTP/1.1\r\nhost: x\r\nexpect: a miracle\r\nconnection: close\r\n\r\n'
  const answer = await askRaw(request)
  t.match(answer, {
    status: 417,
    head: /x-request-id: req_/,
    body: { error: { code: 'expectation_failed', param: 'expect' } }
  })
  t.same(openAiErrors('ErrorResponse', answer.body), [])
})

t.test('a form that is refused before it has come does not hold up the next request of its connection', async t => {
  const boundary = 'longer than any form has it'.repeat(100)
  const form = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n${'a'.repeat(300_000)}`
  const head = `content-type: multipart/form-data; boundary="${boundary}"\r\ncontent-length: ${form.length}`
  const socket = connect({ port: Number(port), host: '127.0.0.1' })
  let text = ''
  socket.on('data', piece => {
    text += piece
  })
  const heard = async (what: RegExp): Promise<void> => {
    while (!what.test(text)) await once(socket, 'data')
  }
  socket.write(`POST /v1/files HTTP/1.1\r\nhost: 127.0.0.1\r\n${head}\r\n\r\n`)
  await heard(/^HTTP\/1\.1 400 .*the form cannot be read.*\}$/s)
  socket.write(`${form}GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`)
  await heard(/HTTP\/1\.1 200 .*"ok"/s)
  t.match(text, /^HTTP\/1\.1 400 .*HTTP\/1\.1 200 /s)
})

t.test('after all that nothing is left behind', async t => {
  t.same(
    mesh.nodes.map(node => node.sessionsOpen),
    [0]
  )
  t.equal((await mesh.post({ ...QUESTION, max_tokens: 1 })).status, 200, 'and the server serves on')
})
