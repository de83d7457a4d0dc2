import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { DatabaseKeyStore, type KeyStore, openDatabase } from '@resultity/store'
import { ManualClock } from '@resultity/test-nodes'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { FailedAttempts } from '../src/keys/failed-attempts.ts'
import { newKeySchema } from '../src/keys/key-schema.ts'
import { formatKey, newKeyId, newKeySecret, parseKey } from '../src/keys/key-secret.ts'
import { KeyService } from '../src/keys/key-service.ts'
import { KeyVerifier } from '../src/keys/key-verifier.ts'

const HOUR_MS = 3_600_000

const CACHE_MS = 2000
const KEYS_MAX = 8
const LOOKUPS_MAX = 4

/** A ring over a real store that counts what it is asked, and answers when `gate` opens. */
async function makeRing(t: Test) {
  const clock = new ManualClock()
  const database = await openDatabase({ dataDir: t.testdir({}) })
  const real = new DatabaseKeyStore(database)
  const asked: string[] = []
  let gate = Promise.resolve()
  const store: KeyStore = {
    add: key => real.add(key),
    list: filter => real.list(filter),
    change: (id, change) => real.change(id, change),
    count: () => real.count(),
    find: async id => {
      asked.push(id)
      await gate
      return real.find(id)
    }
  }
  const init = { keyCacheMs: CACHE_MS, keysCachedMax: KEYS_MAX, keyUseMs: 60_000, keyLookupsMax: LOOKUPS_MAX }
  const ring = new KeyVerifier({ store, clock, steady: clock, logger: pino({ level: 'silent' }) }, init)
  t.teardown(async () => {
    await ring[Symbol.asyncDispose]()
    await database[Symbol.asyncDispose]()
  })
  const service = new KeyService({ store: real, clock })
  const create = (input: object = {}) => service.create(newKeySchema.parse({ scopes: ['admin'], ...input }))
  const close = (until: Promise<void>): void => {
    gate = until
  }
  return { clock, ring, service, create, asked, close }
}

const invented = () => formatKey({ id: newKeyId(), secret: newKeySecret() })
const withWrongSecret = (key: string) => formatKey({ id: parseKey(key)?.id ?? '', secret: newKeySecret() })

/** How often something is called of the real `node:crypto`, which does its work. */
function counted(t: Test, name: 'createHash' | 'timingSafeEqual'): () => number {
  const captured = t.capture(crypto, name, crypto[name])
  syncBuiltinESMExports()
  t.teardown(() => syncBuiltinESMExports())
  return () => captured.args().length
}

t.test('a refusal takes the same steps, whether there is such a key or not', async t => {
  const { clock, ring, service, create, asked } = await makeRing(t)
  const good = await create()
  const rotated = await create()
  await service.rotate(rotated.id, 60_000)
  const revoked = await create()
  await service.revoke(revoked.id)
  const expired = await create({ expires_at: clock.now() / 1000 + 1 })
  clock.pass(CACHE_MS)
  const refusals = {
    unknown: invented(),
    'wrong secret': withWrongSecret(good.key),
    'wrong secret of a rotated key': withWrongSecret(rotated.key),
    'wrong secret of a revoked key': withWrongSecret(revoked.key),
    'wrong secret of an expired key': withWrongSecret(expired.key),
    revoked: revoked.key,
    expired: expired.key
  }
  const hashes = counted(t, 'createHash')
  const comparisons = counted(t, 'timingSafeEqual')
  for (const [id, key] of Object.entries(refusals)) {
    clock.pass(CACHE_MS)
    for (const again of [false, true]) {
      const before = asked.length
      await t.rejects(ring.verify(key), { code: 'unauthenticated' }, id)
      const steps = [asked.length - before, hashes(), comparisons()]
      t.strictSame(steps, [again ? 0 : 1, 1, 2], `${id}: looks, hashes, comparisons${again ? ', the second time' : ''}`)
    }
  }
})

t.test('invented ids push no key out of memory, and ask the store a few at a time', async t => {
  const { ring, create, asked, close } = await makeRing(t)
  const keys = await Promise.all(Array.from({ length: KEYS_MAX }, () => create()))
  for (const { key } of keys) await ring.verify(key)
  asked.length = 0
  for (let count = 0; count < 50; count++) await t.rejects(ring.verify(invented()), { code: 'unauthenticated' })
  t.equal(asked.length, 50)
  for (const { key } of keys) await ring.verify(key)
  t.equal(asked.length, 50, 'all keys are still known')

  const { promise, resolve } = Promise.withResolvers<void>()
  close(promise)
  const flood = Array.from({ length: 100 }, () => ring.verify(invented()).catch(error => error.code))
  ring.forget(keys[0]?.id ?? '')
  const honest = ring.verify(keys[0]?.key ?? '')
  resolve()
  const codes = await Promise.all(flood)
  t.equal(codes.filter(code => code === 'unauthenticated').length, LOOKUPS_MAX)
  t.equal(codes.filter(code => code === 'resource_exhausted').length, 100 - LOOKUPS_MAX)
  t.ok(await honest, 'a key that is in use is looked up all the same')
})

t.test('an answer of the store that is older than a change is not kept', async t => {
  const { ring, service, create, close } = await makeRing(t)
  const { id, key } = await create()
  const { promise, resolve } = Promise.withResolvers<void>()
  close(promise)
  const early = ring.verify(key)
  ring.forget(id)
  resolve()
  await early
  await service.revoke(id)
  await t.rejects(ring.verify(key), { message: /was revoked/ })
})

t.test('attempts are counted for a window, of so many addresses', async t => {
  const clock = new ManualClock()
  const attempts = new FailedAttempts(clock, { failedKeysMax: 3, failedKeysWindowMs: 1000, failedAddressesMax: 100 })
  for (let count = 0; count < 3; count++) {
    t.notOk(attempts.isOver('a'))
    attempts.add('a')
  }
  t.ok(attempts.isOver('a'))
  t.notOk(attempts.isOver('b'))
  clock.pass(600)
  t.match(attempts.refusal('a'), { code: 'rate_limited', details: { retryAfterMs: 400 } })
  clock.pass(400)
  t.notOk(attempts.isOver('a'), 'and then it begins anew')
  for (let count = 0; count < 3; count++) attempts.add('a')
  for (let other = 0; other < 100; other++) attempts.add(`other-${other}`)
  t.notOk(attempts.isOver('a'), 'the table has a bound')
})

t.test(
  'a key that was revoked stays so when the clock is set back, and what is cached is not believed longer',
  async t => {
    const database = await openDatabase({ dataDir: t.testdir({}) })
    t.teardown(() => database[Symbol.asyncDispose]())
    const store = new DatabaseKeyStore(database)
    const clock = new ManualClock()
    clock.ms = Date.now()
    const steady = new ManualClock()
    const limits = { keyCacheMs: 2000, keysCachedMax: 100, keyUseMs: 60_000, keyLookupsMax: 4 }
    const ring = new KeyVerifier({ store, clock, steady, logger: pino({ level: 'silent' }) }, limits)
    t.teardown(() => ring[Symbol.asyncDispose]())
    // as another coordinator on the same database: this one is not told
    const service = new KeyService({ store, clock })
    const first = await service.create(newKeySchema.parse({ scopes: ['admin'] }))
    const second = await service.create(newKeySchema.parse({}))
    for (const jump of [-6 * HOUR_MS, 6 * HOUR_MS]) {
      const { id, key } = jump < 0 ? first : second
      await ring.verify(key)
      await service.revoke(id)
      clock.pass(jump)
      steady.pass(2001)
      await t.rejects(ring.verify(key), { code: 'unauthenticated', message: /revoked/ }, `${jump / HOUR_MS} h`)
      await t.rejects(ring.holder(id), { code: 'unauthenticated' })
      clock.pass(-jump)
    }
  }
)
