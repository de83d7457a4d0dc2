import { DatabaseKeyStore, openDatabase } from '@resultity/store'
import { ManualClock } from '@resultity/test-nodes'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { requireScope, scopes } from '../src/keys/caller.ts'
import { keyChangeSchema, newKeySchema } from '../src/keys/key-schema.ts'
import { formatKey, hashSecret, isSecret, newKeyId, newKeySecret, parseKey } from '../src/keys/key-secret.ts'
import { KeyService } from '../src/keys/key-service.ts'
import { KeyVerifier } from '../src/keys/key-verifier.ts'
import { presentedKey } from '../src/keys/presented-key.ts'
import { isLoopback } from '../src/loopback.ts'
import { scopeOf } from '../src/route-scope.ts'

const CACHE_MS = 2000
const USE_MS = 60_000

async function makeKeys(t: Test, { told = true } = {}) {
  const clock = new ManualClock()
  const database = await openDatabase({ dataDir: t.testdir({}) })
  const store = new DatabaseKeyStore(database)
  const logger = pino({ level: 'silent' })
  const ring = new KeyVerifier(
    { store, clock, steady: clock, logger },
    { keyCacheMs: CACHE_MS, keysCachedMax: 10, keyUseMs: USE_MS, keyLookupsMax: 4 }
  )
  t.teardown(async () => {
    await ring[Symbol.asyncDispose]()
    await database[Symbol.asyncDispose]()
  })
  // one that is not told is another coordinator's
  const service = new KeyService({ store, clock, ...(told ? { onChange: id => ring.forget(id) } : {}) })
  const create = (input: object = {}) => service.create(newKeySchema.parse({ scopes: ['admin'], ...input }))
  return { clock, store, ring, service, create }
}

const refusal = (message: RegExp) => ({ code: 'unauthenticated', details: { reason: 'invalid_api_key' }, message })

t.test('a key is one string of two parts, and nothing else is one', async t => {
  const parts = { id: newKeyId(), secret: newKeySecret() }
  t.match(formatKey(parts), /^rk_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/)
  t.strictSame(parseKey(formatKey(parts)), parts)
  for (const wrong of ['', 'sk-123', formatKey(parts).slice(1), `${formatKey(parts)}x`, `${formatKey(parts)}\n`]) {
    t.equal(parseKey(wrong), undefined, JSON.stringify(wrong))
  }
  t.equal(new Set(Array.from({ length: 1000 }, newKeySecret)).size, 1000)
})

t.test('a secret is known by its hash, and only it', async t => {
  const secret = newKeySecret()
  t.match(hashSecret(secret), /^[0-9a-f]{64}$/)
  t.notMatch(hashSecret(secret), secret)
  t.ok(isSecret(secret, hashSecret(secret)))
  t.notOk(isSecret(secret, 'not a hash'))
  assertProperty(fc.property(fc.string(), other => other === secret || !isSecret(other, hashSecret(secret))))
})

t.test('the key of a request is in either header, ours before a placeholder', async t => {
  const ours = formatKey({ id: newKeyId(), secret: newKeySecret() })
  const cases = [
    [{ authorization: `Bearer ${ours}` }, ours],
    [{ authorization: `bearer  ${ours} ` }, ours],
    [{ 'x-api-key': ` ${ours} ` }, ours],
    [{ authorization: 'Bearer none', 'x-api-key': ours }, ours],
    [{ authorization: `Bearer ${ours}`, 'x-api-key': 'none' }, ours],
    [{ authorization: 'Bearer none' }, 'none'],
    [{ authorization: `Basic ${ours}` }, undefined],
    [{ authorization: 'Bearer' }, undefined],
    [{ authorization: `Bearer ${ours} more` }, undefined],
    [{ 'x-api-key': '' }, undefined],
    [{}, undefined]
  ] as const
  for (const [headers, key] of cases) t.equal(presentedKey(headers), key, JSON.stringify(headers))
})

t.test('a verified key says whose it is and what it may do', async t => {
  const { ring, create } = await makeKeys(t)
  const { key, id } = await create({ namespace: 'team', scopes: ['admin', 'inference'], limits: { burst: 2 } })
  const caller = await ring.verify(key)
  t.match(caller, { namespace: 'team', keyId: id, limits: { burst: 2 } })
  t.strictSame([...caller.scopes], ['inference', 'admin'])
})

t.test('a wrong, revoked or expired key is refused, and never repeated in the refusal', async t => {
  const { clock, ring, service, create } = await makeKeys(t)
  const good = await create()
  const [, id = '', secret = ''] = /^rk_([^_]+)_(.+)$/.exec(good.key) ?? []
  const expiring = await create({ expires_at: clock.now() / 1000 + 10 })
  const revoked = await create()
  await service.revoke(revoked.id)
  clock.pass(9999)
  await ring.verify(expiring.key)
  clock.pass(1)
  const cases: readonly (readonly [string, RegExp])[] = [
    ['sk-proj-123', /not an API key of this mesh/],
    [formatKey({ id, secret: newKeySecret() }), /no such API key/],
    [formatKey({ id: newKeyId(), secret }), /no such API key/],
    [expiring.key, /expired/],
    [revoked.key, /revoked/]
  ]
  for (const [text, message] of cases) {
    const error = await ring.verify(text).then(
      () => undefined,
      (error: Error) => error
    )
    t.match(error, refusal(message))
    // a secret may have underscores of its own
    t.notMatch(JSON.stringify(error) + String(error), /^rk_[^_]+_(.+)$/.exec(text)?.[1] ?? text)
  }
  t.match(await ring.verify(good.key), { keyId: id })
})

t.test('a revoked key is refused at once here, and soon elsewhere', async t => {
  const { clock, ring, service, create } = await makeKeys(t, { told: false })
  const { key, id } = await create()
  await ring.verify(key)
  await service.revoke(id)
  clock.pass(CACHE_MS - 1)
  await ring.verify(key)
  clock.pass(2)
  await t.rejects(ring.verify(key), refusal(/revoked/))
  const here = await makeKeys(t)
  const other = await here.create()
  await here.ring.verify(other.key)
  await here.service.revoke(other.id)
  await t.rejects(here.ring.verify(other.key), refusal(/revoked/))
})

t.test('a rotated key has a new secret, and the old one for as long as was granted', async t => {
  const { clock, ring, service, create } = await makeKeys(t)
  const first = await create()
  const second = await service.rotate(first.id, 5000)
  t.equal(second.id, first.id)
  clock.pass(4999)
  t.match(await ring.verify(first.key), { keyId: first.id })
  t.match(await ring.verify(second.key), { keyId: first.id })
  clock.pass(1)
  await t.rejects(ring.verify(first.key), refusal(/no such API key/))
  const third = await service.rotate(first.id, 0)
  await t.rejects(ring.verify(second.key), refusal(/no such API key/))
  t.match(await ring.verify(third.key), { keyId: first.id })
  await service.revoke(first.id)
  await t.rejects(service.rotate(first.id, 0), { code: 'invalid_request', message: /revoked/ })
})

t.test('keys are asked for from the first on, even when it was revoked', async t => {
  const { clock, ring, service, create } = await makeKeys(t, { told: false })
  t.equal(await ring.required(), false)
  const { id } = await create()
  clock.pass(CACHE_MS)
  t.equal(await ring.required(), true, 'another coordinator made one')
  await service.revoke(id)
  clock.pass(CACHE_MS)
  t.equal(await ring.required(), true)
})

t.test('the first key is an admin key, or nobody could make another', async t => {
  const { service, create } = await makeKeys(t)
  await t.rejects(service.create(newKeySchema.parse({})), {
    code: 'invalid_request',
    details: { param: 'scopes' },
    hint: /--admin/
  })
  await create()
  t.match(await service.create(newKeySchema.parse({})), { scopes: ['inference', 'read-usage'], namespace: 'default' })
})

t.test('the last use of a key is written down, to the minute', async t => {
  const { clock, store, ring, create } = await makeKeys(t)
  const { key, id } = await create()
  const usedAt = async () => {
    await ring[Symbol.asyncDispose]()
    return (await store.find(id))?.lastUsedAtMs
  }
  await ring.verify(key)
  const first = clock.now()
  t.equal(await usedAt(), first)
  clock.pass(USE_MS - 1)
  await ring.verify(key)
  t.equal(await usedAt(), first)
  clock.pass(1)
  await ring.verify(key)
  t.equal(await usedAt(), first + USE_MS)
})

t.test('what is wrong with a key to be made is refused', async t => {
  const cases: readonly (readonly [string, object])[] = [
    ['scopes', { scopes: ['root'] }],
    ['scopes', { scopes: [] }],
    ['namespace', { namespace: '../etc' }],
    ['namespace', { namespace: 'A' }],
    ['namespace', { namespace: 'x'.repeat(64) }],
    ['name', { name: 'a\u001b[2J' }],
    ['name', { name: 'a\nb' }],
    ['limits', { limits: { tokens_per_minute: -1 } }],
    ['limits', { limits: { requests: 5 } }],
    ['limits', { limits: { endpoints: { '/v1/../admin': {} } } }],
    ['expires_at', { expires_at: 1.5 }]
  ]
  for (const [field, input] of cases) {
    const { error } = newKeySchema.safeParse(input)
    t.equal(error?.issues[0]?.path[0], field, JSON.stringify(input))
  }
  t.notOk(newKeySchema.safeParse({ id: 'mine' }).success, 'no field that it does not know')
  t.notOk(keyChangeSchema.safeParse({ namespace: 'other' }).success, 'a key stays in its namespace')
})

t.test('a scope lets its holder do that and no more; admin is all of them', async t => {
  const caller = (granted: readonly (typeof scopes)[number][]) => {
    return { namespace: 'a', keyId: 'k', scopes: new Set(granted), limits: {} }
  }
  for (const scope of scopes) {
    t.doesNotThrow(() => requireScope(caller([scope]), scope))
    t.doesNotThrow(() => requireScope(caller(['admin']), scope))
    for (const other of scopes.filter(one => one !== scope && one !== 'admin')) {
      t.throws(() => requireScope(caller([other]), scope), { code: 'permission_denied' })
    }
  }
})

t.test('every route asks for a scope, but those that tell nothing', async t => {
  const cases = {
    '/healthz': undefined,
    '/readyz': undefined,
    '/openapi.json': undefined,
    '/docs': undefined,
    '/docs/*': undefined,
    '/docsx': 'inference',
    '/metrics': 'read-mesh',
    '/v1/mesh/nodes': 'read-mesh',
    '/v1/models': 'inference',
    '/v1/chat/completions': 'inference',
    '/v1/requests/:id': 'inference',
    '/v1/usage': 'read-usage',
    '/v1/webhooks/:id/deliveries': 'webhooks',
    '/v1/admin/keys': 'admin',
    '/v1/administration': 'inference',
    '/subclouds/:name/v1/chat/completions': 'inference',
    '/subclouds/:name/v1/mesh/nodes': 'read-mesh',
    '/subclouds/:name/v1/admin/keys': 'admin',
    '/something/new': 'inference'
  }
  for (const [url, scope] of Object.entries(cases)) t.equal(scopeOf(url), scope, url)
})

t.test('loopback is what only this machine reaches', async t => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', '[::1]', 'localhost', 'LOCALHOST', '::ffff:127.0.0.1']) {
    t.ok(isLoopback(host), host)
  }
  for (const host of [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '192.168.1.2',
    '2001:db8::1',
    'localhost.example',
    'example',
    '',
    '2130706433',
    '127.1'
  ]) {
    t.notOk(isLoopback(host), host)
  }
})
