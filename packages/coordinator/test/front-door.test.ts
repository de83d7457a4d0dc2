import { randomBytes } from 'node:crypto'
import { openAiErrors } from '@resultity/test-api'
import t from 'tap'
import { openKeyService } from '../src/index.ts'
import { ADMIN_ROUTES, createKey, start } from './support/access-control.ts'
import { CHAT, QUESTION } from './support/scripted-mesh.ts'

t.test('a coordinator that others can reach does not start without keys', async t => {
  const dataDir = t.testdir({})
  await t.rejects(start(t, { dataDir, host: '0.0.0.0' }), {
    code: 'settings_invalid',
    message: /other machines can reach 0\.0\.0\.0, and there is no API key/,
    hint: /keys create --admin.*--open/
  })
  // the directory was let go of
  const service = await openKeyService({ dataDir })
  const { key } = await service.create({ scopes: ['admin'] })
  await service[Symbol.asyncDispose]()
  const started = await start(t, { dataDir, host: '0.0.0.0' })
  t.equal((await started.ask('GET', '/v1/models')).status, 401)
  t.equal((await started.ask('GET', '/v1/models', { key })).status, 200)
})

t.test('told to be open it lets everybody ask, and nobody administer', async t => {
  const started = await start(t, { host: '0.0.0.0', open: true })
  t.equal((await started.ask('GET', '/v1/models')).status, 200)
  t.equal((await started.ask('GET', '/v1/models', { key: 'anything' })).status, 200)
  t.match(await started.ask('POST', ADMIN_ROUTES, { body: { scopes: ['admin'] } }), {
    status: 403,
    body: { error: { code: 'permission_denied' } }
  })
})

t.test('on loopback no key is asked for until there is one', async t => {
  const started = await start(t)
  const { ask } = started
  t.equal((await ask('GET', '/v1/models')).status, 200)
  t.equal((await ask('GET', '/v1/models', { key: 'none' })).status, 200)
  t.match(await ask('POST', ADMIN_ROUTES, { body: {} }), { status: 400, body: { error: { param: 'scopes' } } })
  const elsewhere = { headers: { origin: 'https://attacker.example' }, body: { scopes: ['admin'] } }
  t.equal((await ask('POST', ADMIN_ROUTES, elsewhere)).status, 403, 'a web page cannot make itself a key')
  const { key } = await createKey(started, undefined, { scopes: ['admin'] })
  t.equal((await ask('GET', '/v1/models')).status, 401)
  t.equal((await ask('GET', '/v1/models', { key })).status, 200)
})

t.test('without a good key there is an answer that clients understand, and no more', async t => {
  const started = await start(t)
  const { ask } = started
  const admin = await createKey(started, undefined, { scopes: ['admin'], name: 'root' })
  const revoked = await createKey(started, admin.key, {})
  t.match(await ask('POST', `${ADMIN_ROUTES}/${revoked.id}/revoke`, { key: admin.key }), { status: 200 })
  const keys = [undefined, 'none', 'sk-123', revoked.key, `${admin.key.slice(0, -1)}!`, 'x'.repeat(9000)]
  const routes = [
    ['POST', CHAT],
    ['GET', '/v1/models'],
    ['GET', '/v1/mesh/nodes'],
    ['GET', '/metrics'],
    ['GET', ADMIN_ROUTES],
    ['GET', '/v1/%61dmin/keys'],
    ['GET', '/v1/models/a%2Fb']
  ] as const
  for (const key of keys) {
    for (const [method, path] of routes) {
      const { status, headers, body } = await ask(method, path, {
        key,
        ...(method === 'POST' ? { body: QUESTION } : {})
      })
      t.equal(status, 401, `${method} ${path} ${key?.slice(0, 8)}`)
      t.strictSame(openAiErrors('ErrorResponse', body), [])
      t.match(body.error, { code: 'invalid_api_key', type: 'invalid_request_error', param: null })
      t.equal(headers.get('www-authenticate'), 'Bearer')
      t.match(headers.get('x-request-id'), /^req_/)
    }
  }
  for (const path of ['/', '/health', '/healthz', '/openapi.json']) t.equal((await ask('GET', path)).status, 200, path)
  t.match(await ask('GET', '/v1/nothing'), { status: 404, body: { error: { code: 'unknown_url' } } })
  t.equal((await ask('GET', '/v1/models', { headers: { 'x-api-key': admin.key } })).status, 200)
})

t.test('a key does what its scopes say', async t => {
  const started = await start(t)
  const { ask } = started
  const admin = await createKey(started, undefined, { scopes: ['admin'] })
  const plain = await createKey(started, admin.key, { namespace: 'team' })
  const watcher = await createKey(started, admin.key, { scopes: ['read-mesh'] })
  const may = async (key: string) => {
    const paths = ['/v1/models', '/v1/mesh/nodes', '/metrics', ADMIN_ROUTES]
    return Promise.all(paths.map(async path => (await ask('GET', path, { key })).status))
  }
  t.strictSame(await may(admin.key), [200, 200, 200, 200])
  t.strictSame(await may(plain.key), [200, 403, 403, 403])
  t.strictSame(await may(watcher.key), [403, 200, 200, 403])
  const { body } = await ask('GET', ADMIN_ROUTES, { key: plain.key })
  t.match(body, { error: { code: 'permission_denied', message: /scope "admin"/ } })
})

t.test('keys are listed, changed, rotated and revoked, and shown once', async t => {
  const started = await start(t)
  const { ask } = started
  const { key } = await createKey(started, undefined, { scopes: ['admin'], name: 'root' })
  const other = await createKey(started, key, { name: 'other', limits: { concurrent_jobs: 2 } })
  const listed = await ask('GET', `${ADMIN_ROUTES}?limit=1`, { key })
  t.match(listed.body, { object: 'list', has_more: true, first_id: String, last_id: String })
  const rest = await ask('GET', `${ADMIN_ROUTES}?after=${listed.body.last_id}`, { key })
  t.match(rest.body, { has_more: false, data: [{ object: 'api_key' }] })
  t.notMatch(JSON.stringify([listed.body, rest.body]), /rk_|sha256/i)
  const path = `${ADMIN_ROUTES}/${other.id}`
  const changed = await ask('POST', path, { key, body: { name: 'renamed', limits: {} } })
  t.match(changed, { status: 200, body: { name: 'renamed', limits: {}, scopes: ['inference', 'read-usage'] } })
  const rotated = await ask('POST', `${path}/rotate`, { key, body: { grace_seconds: 0 } })
  t.equal((await ask('GET', '/v1/models', { key: other.key })).status, 401)
  t.equal((await ask('GET', '/v1/models', { key: rotated.body.key })).status, 200)
  t.match((await ask('POST', `${path}/revoke`, { key })).body, { revoked_at: Number })
  t.equal((await ask('GET', '/v1/models', { key: rotated.body.key })).status, 401)
  t.match(await ask('GET', `${ADMIN_ROUTES}/0000000000000000`, { key }), { status: 404 })
  t.match(await ask('GET', `${ADMIN_ROUTES}?limit=0`, { key }), { status: 400, body: { error: { param: 'limit' } } })
  t.match(await ask('POST', ADMIN_ROUTES, { key, body: { expires_at: 1 } }), {
    status: 400,
    body: { error: { param: 'expires_at' } }
  })
})

t.test('a limited key hears on every answer how much is left, and 429 when nothing is', async t => {
  const started = await start(t)
  const { ask } = started
  const admin = await createKey(started, undefined, { scopes: ['admin'] })
  const limits = { requests_per_second: 0.001, burst: 3, tokens_per_minute: 500 }
  const { key } = await createKey(started, admin.key, { limits })
  const left = (headers: Headers) => headers.get('x-ratelimit-remaining-requests')
  t.equal(left((await ask('GET', '/v1/models', { key })).headers), '2')
  const failed = await ask('POST', CHAT, { key, body: {} })
  t.match([failed.status, left(failed.headers)], [400, '1'])
  const missing = await ask('GET', '/v1/models/none', { key })
  t.match([missing.status, left(missing.headers)], [404, '0'])
  t.equal(missing.headers.get('x-ratelimit-remaining-tokens'), '500')
  const refused = await ask('GET', '/v1/models', { key })
  t.match(refused, { status: 429, body: { error: { code: 'rate_limited', type: 'rate_limit_error' } } })
  t.strictSame(openAiErrors('ErrorResponse', refused.body), [])
  t.equal(left(refused.headers), '0')
  t.match(Number(refused.headers.get('retry-after-ms')) / 1000 <= Number(refused.headers.get('retry-after')), true)
  t.equal(left((await ask('GET', '/v1/models', { key: admin.key })).headers), null, 'others go on')
})

t.test('no key gets into the log', async t => {
  const started = await start(t)
  const { ask } = started
  const admin = await createKey(started, undefined, { scopes: ['admin'] })
  const other = await createKey(started, admin.key, {})
  const wrong = `${other.key.slice(0, -8)}AAAAAAAA`
  for (const key of [admin.key, other.key, wrong]) {
    await ask('GET', ADMIN_ROUTES, { key })
    await ask('POST', CHAT, { key, body: '{' })
    await ask('GET', `/readyz?key=${key}`, { headers: { 'x-api-key': key } })
  }
  t.match(started.log(), /a request failed/, 'something was logged')
  for (const key of [admin.key, other.key, wrong]) t.notMatch(started.log(), secretOf(key))
})

/** A secret may hold any character of base64url, `_` too. */
function secretOf(key: string): string {
  const [, , ...secret] = key.split('_')
  return secret.join('_')
}

const invented = (): string => `rk_${randomBytes(8).toString('hex')}_${'A'.repeat(43)}`

t.test('who tries many keys is told to wait, and a key in use at the same address is not', async t => {
  const started = await start(t)
  const admin = await createKey(started, undefined, { scopes: ['admin'] })
  const unused = await createKey(started, admin.key, {})
  t.equal((await started.ask('GET', '/v1/models', { key: admin.key })).status, 200)
  const statuses: number[] = []
  for (let count = 0; count < 101; count++) {
    statuses.push((await started.ask('GET', '/v1/models', { key: count % 2 === 0 ? invented() : 'sk-none' })).status)
  }
  t.strictSame(statuses, [...Array(100).fill(401), 429])
  const { headers, body } = await started.ask('GET', '/v1/models', {
    key: admin.key.replace(/.$/, end => (end === 'A' ? 'B' : 'A'))
  })
  t.match(body, { error: { code: 'rate_limited', type: 'rate_limit_error' } })
  t.ok(Number(headers.get('retry-after')) > 0)
  t.equal((await started.ask('GET', '/v1/models', { key: unused.key })).status, 429, 'nobody has used this one')
  t.equal((await started.ask('GET', '/v1/models', { key: admin.key })).status, 200)
  t.equal((await started.ask('GET', '/healthz')).status, 200)
  t.equal((await started.ask('GET', '/v1/models')).status, 401, 'no key is no attempt')
})
