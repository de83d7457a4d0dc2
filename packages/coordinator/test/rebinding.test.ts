import { once } from 'node:events'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import t from 'tap'
import { ADMIN_ROUTES, createKey, type Started, start } from './support/access-control.ts'
import { CHAT, QUESTION } from './support/scripted-mesh.ts'

/** Sends one request as it is written here, and reads its answer. */
async function raw(url: string, lines: readonly string[], { body = '', address = '127.0.0.1' } = {}) {
  const socket = connect({ port: Number(new URL(url).port), host: address })
  const length = body === '' ? [] : [`content-length: ${Buffer.byteLength(body)}`]
  socket.write(`${[...lines, 'connection: close', ...length].join('\r\n')}\r\n\r\n${body}`)
  let text = ''
  socket.setEncoding('utf8').on('data', piece => {
    text += piece
  })
  await once(socket, 'close')
  const [head = '', ...rest] = text.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), head, text: rest.join('\r\n\r\n') }
}

const get = (path: string, ...headers: string[]) => [`GET ${path} HTTP/1.1`, ...headers]

/** All that a page could want from a coordinator that asks nobody for a key. */
const WANTED = [
  ...['/v1/requests', '/v1/requests/req_x/result', '/v1/files', '/v1/files/file_x/content', '/v1/models'],
  ...['/v1/mesh/nodes', '/v1/usage', '/v1/webhooks', ADMIN_ROUTES, '/metrics', '/docs', '/docs/scalar.js'],
  ...['/openapi.json', '/readyz', '/v1/nothing', '/', '/subclouds/x/v1/models', '/subclouds/x/v1/nothing']
]

t.test('a name that somebody else points at this machine opens nothing', async t => {
  const { url } = await start(t)
  for (const path of WANTED) {
    const { status, text } = await raw(url, get(path, 'host: attacker.example:8420'))
    t.equal(status, 421, path)
    t.match(JSON.parse(text), { error: { code: 'host_not_allowed', message: /--allowed-host attacker\.example/ } })
  }
  const methods = [`POST ${CHAT}`, 'DELETE /v1/files/file_x', 'OPTIONS /v1/files', `POST ${ADMIN_ROUTES}`, 'HEAD /docs']
  for (const method of methods) {
    const { status, head } = await raw(url, [`${method} HTTP/1.1`, 'host: attacker.example'])
    t.equal(status, 421, method)
    t.notMatch(head, /access-control-allow-origin/i)
  }
  t.equal((await raw(url, get('/healthz', 'host: attacker.example'))).status, 200, 'a probe hears that it lives')
})

t.test('no way of writing a request hides the name', async t => {
  const { url } = await start(t)
  const path = '/v1/models'
  const refused: readonly (readonly [string, readonly string[], number])[] = [
    ['no host', get(path), 400],
    ['HTTP/1.0 without a host', [`GET ${path} HTTP/1.0`], 400],
    ['HTTP/1.0', [`GET ${path} HTTP/1.0`, 'host: attacker.example'], 421],
    ['an empty host', get(path, 'host:'), 421],
    ['two hosts', get(path, 'host: localhost', 'host: attacker.example'), 400],
    ['two hosts, the other way', get(path, 'host: attacker.example', 'Host: localhost'), 400],
    ['a whole URL as target', get(`http://attacker.example${path}`, 'host: localhost'), 421],
    ['a whole URL with a user', get(`http://localhost@attacker.example${path}`, 'host: localhost'), 421],
    ['a forwarded host', get(path, 'host: attacker.example', 'x-forwarded-host: localhost'), 421],
    ['Forwarded', get(path, 'host: attacker.example', 'forwarded: host=localhost'), 421],
    ['a user', get(path, 'host: localhost@attacker.example'), 421],
    ['a decimal address', get(path, 'host: 2130706433'), 421],
    ['an octal address', get(path, 'host: 0177.0.0.1'), 421],
    ['a short address', get(path, 'host: 127.1'), 421],
    ['a longer name', get(path, 'host: localhost.attacker.example'), 421],
    ['the address as a name', get(path, 'host: 127.0.0.1.attacker.example'), 421],
    ['another address', get(path, 'host: 192.0.2.7'), 421],
    ['what is no host', get(path, 'host: <script>'), 421]
  ]
  for (const [id, lines, status] of refused) {
    const answer = await raw(url, lines)
    t.equal(answer.status, status, id)
    t.notMatch(answer.text, /"object":"list"/, id)
  }
  const served = [
    ...['host: localhost', 'host: LOCALHOST:1', 'host: localhost.', 'host: 127.0.0.1:8420', 'host: 127.8.8.8'],
    ...['host: [::1]:8420', 'host: [0:0:0:0:0:0:0:1]', 'host: [::ffff:127.0.0.1]']
  ]
  for (const host of served) t.equal((await raw(url, get(path, host))).status, 200, host)
  t.equal((await raw(url, [`GET ${path} HTTP/1.0`, 'host: localhost'])).status, 200)
  t.equal(
    (await raw(url, get(`http://localhost${path}`, 'host: localhost'))).status,
    200,
    'a whole URL of this machine'
  )
})

t.test('the operator names further hosts, which administer nothing', async t => {
  const { url } = await start(t, { allowedHosts: ['mesh.example', '192.0.2.7'] })
  for (const host of ['mesh.example', 'MESH.example.:443', '192.0.2.7:80']) {
    t.equal((await raw(url, get('/v1/models', `host: ${host}`))).status, 200, host)
    t.equal((await raw(url, get(ADMIN_ROUTES, `host: ${host}`))).status, 403, host)
  }
  t.equal((await raw(url, get('/v1/models', 'host: x.mesh.example'))).status, 421)
  const any = await start(t, { allowedHosts: ['*'] })
  t.equal((await raw(any.url, get('/v1/models', 'host: x.example'))).status, 200)
  t.equal((await raw(any.url, get(ADMIN_ROUTES, 'host: x.example'))).status, 403)
})

t.test('one that is open to all answers to the address it was reached at, and to no name', async t => {
  const { url } = await start(t, { host: '0.0.0.0', open: true })
  t.equal((await raw(url, get('/v1/models', 'host: attacker.example'))).status, 421)
  t.equal((await raw(url, get('/v1/models', 'host: 192.0.2.7'))).status, 421)
  t.equal((await raw(url, get('/v1/models', 'host: localhost'))).status, 200)
  const addresses = Object.values(networkInterfaces()).flatMap(list => list ?? [])
  for (const { address } of addresses.filter(({ family }) => family === 'IPv4')) {
    t.equal((await raw(url, get('/v1/models', `host: ${address}:1`), { address })).status, 200, 'its own address')
  }
})

t.test('where a key is asked for, any name will do: a page has no key', async t => {
  const started = await start(t)
  const { key } = await createKey(started, undefined, { scopes: ['admin'] })
  const { url } = started
  const host = 'host: mesh.example'
  t.equal((await raw(url, get('/v1/models', host))).status, 401)
  t.equal((await raw(url, get('/v1/models', host, `authorization: Bearer ${key}`))).status, 200)
  t.equal((await raw(url, get('/openapi.json', host))).status, 200)
  const open = await start(t, { open: true })
  const admin = await createKey(open, undefined, { scopes: ['admin'] })
  t.equal((await raw(open.url, get('/v1/models', host))).status, 421, 'open, and without a key')
  t.equal((await raw(open.url, get('/v1/models', host, `x-api-key: ${admin.key}`))).status, 200)
  const wrong = `x-api-key: rk_${'0'.repeat(16)}_${'A'.repeat(43)}`
  t.equal((await raw(open.url, get('/v1/models', host, wrong))).status, 401)
})

/** What a page at another port of this machine gets, by route. */
async function statusesFor({ url }: Started, ...headers: string[]) {
  const host = `host: 127.0.0.1:${new URL(url).port}`
  const statuses: Record<string, number> = {}
  for (const path of WANTED) statuses[path] = (await raw(url, get(path, host, ...headers))).status
  return statuses
}

t.test('a page of another port of this machine may ask models without a key, and no more', async t => {
  const started = await start(t)
  const { url } = started
  const local = await statusesFor(started, 'origin: http://localhost:3000')
  for (const path of ['/v1/requests', '/v1/requests/req_x/result', '/v1/files', '/v1/files/file_x/content']) {
    t.equal(local[path], 403, path)
  }
  for (const path of ['/v1/mesh/nodes', '/v1/usage', '/v1/webhooks', ADMIN_ROUTES, '/metrics']) {
    t.equal(local[path], 403, path)
  }
  t.match(local, { '/v1/models': 200, '/docs': 200 })
  const headers = (origin: string) => [`host: 127.0.0.1:${new URL(url).port}`, `origin: ${origin}`]
  const send = (line: string, origin: string, type: string, body: object) =>
    raw(url, [`${line} HTTP/1.1`, ...headers(origin), `content-type: ${type}`], { body: JSON.stringify(body) })
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json']) {
    for (const origin of ['http://localhost:3000', 'http://127.0.0.1:1', 'http://[::1]:3000', 'https://localhost']) {
      const made = await send(`POST ${ADMIN_ROUTES}`, origin, type, { scopes: ['admin'] })
      t.equal(made.status, 403, `${origin} ${type}`)
      t.match(made.text, /--cors-origin/)
    }
    const asked = await send(`POST ${CHAT}`, 'http://localhost:3000', type, QUESTION)
    t.equal(asked.status, 404, 'let in, and there is no such model')
    t.equal((await send(`POST ${CHAT}`, 'https://attacker.example', type, QUESTION)).status, 403)
    t.equal((await send(`POST ${CHAT}`, 'null', type, QUESTION)).status, 403)
  }
  t.equal((await send('DELETE /v1/files/file_x', 'http://localhost:3000', 'text/plain', {})).status, 403)
  const own = `http://127.0.0.1:${new URL(url).port}`
  t.equal(
    (await send(`POST ${ADMIN_ROUTES}`, own, 'application/json', { scopes: ['admin'] })).status,
    200,
    'its own page'
  )
})

t.test('a page may do with a key what the key may', async t => {
  const started = await start(t, { corsOrigins: ['https://chat.example.org'] })
  const before = await statusesFor(started, 'origin: https://chat.example.org')
  t.match(before, { '/v1/files': 200, '/v1/mesh/nodes': 200, [ADMIN_ROUTES]: 403 }, 'one that the operator named')
  const { key } = await createKey(started, undefined, { scopes: ['admin'] })
  const keyed = await statusesFor(started, 'origin: http://localhost:3000', `authorization: Bearer ${key}`)
  t.match(keyed, { '/v1/files': 200, '/v1/mesh/nodes': 200, [ADMIN_ROUTES]: 200 })
})

t.test('images, scripts and links of other sites load nothing but the documentation', async t => {
  const started = await start(t)
  for (const site of ['cross-site', 'same-site']) {
    const image = await statusesFor(
      started,
      `sec-fetch-site: ${site}`,
      'sec-fetch-mode: no-cors',
      'sec-fetch-dest: image'
    )
    t.strictSame([...new Set(Object.values(image))], [403], `${site} image`)
    const link = await statusesFor(
      started,
      ...[`sec-fetch-site: ${site}`, 'sec-fetch-mode: navigate', 'sec-fetch-dest: document']
    )
    t.match(link, { '/docs': 200, '/openapi.json': 200, '/v1/requests': 403, '/metrics': 403, [ADMIN_ROUTES]: 403 })
    const frame = await statusesFor(
      started,
      ...[`sec-fetch-site: ${site}`, 'sec-fetch-mode: navigate', 'sec-fetch-dest: iframe']
    )
    t.equal(frame['/docs'], 403, 'not in a frame')
  }
  t.match(await statusesFor(started, 'sec-fetch-site: none'), { '/v1/files': 200, [ADMIN_ROUTES]: 200 }, 'typed in')
  t.match(await statusesFor(started, 'sec-fetch-site: same-origin'), { '/v1/files': 200 }, 'the documentation itself')
})
