import { DatabaseKeyStore, type NewApiKey } from '../src/index.ts'
import { onBothDatabases } from './support/both-databases.ts'

function newKey(id: string, overrides: Partial<NewApiKey> = {}): NewApiKey {
  return {
    id,
    name: `the key ${id}`,
    namespace: 'default',
    scopes: ['inference'],
    limits: { tokens_per_minute: 5, endpoints: {} },
    secretSha256: 'ab'.repeat(32),
    createdAtMs: 1000,
    subclouds: null,
    expiresAtMs: null,
    ...overrides
  }
}

onBothDatabases('a key is found as it was made, by another process too', async (t, { open }) => {
  const store = new DatabaseKeyStore(await open())
  const unused = { previousSha256: null, previousUntilMs: null, revokedAtMs: null, lastUsedAtMs: null }
  const name = `'); drop table api_key; -- \u2028 "€"`
  t.strictSame(await store.add(newKey('a', { name })), { ...newKey('a', { name }), ...unused })
  const other = new DatabaseKeyStore(await open())
  t.strictSame(await other.find('a'), { ...newKey('a', { name }), ...unused })
  await store.add(newKey('c', { subclouds: ['eu'] }))
  t.match(await other.find('c'), { subclouds: ['eu'] })
  t.match(await store.change('c', { subclouds: null }), { subclouds: null })
  t.equal(await other.find('b'), undefined)
  t.equal(await other.count(), 2)
})

onBothDatabases('two keys do not share an id', async (t, { open }) => {
  const store = new DatabaseKeyStore(await open())
  await store.add(newKey('a'))
  await t.rejects(store.add(newKey('a', { namespace: 'other' })), { name: 'StatementError' })
  t.match(await store.find('a'), { namespace: 'default' })
})

onBothDatabases('a change touches what it names, and null is a value', async (t, { open }) => {
  const store = new DatabaseKeyStore(await open())
  await store.add(newKey('a', { expiresAtMs: 5000 }))
  t.match(await store.change('a', { expiresAtMs: null, scopes: ['admin', 'inference'] }), {
    expiresAtMs: null,
    scopes: ['admin', 'inference'],
    name: 'the key a',
    limits: { tokens_per_minute: 5 }
  })
  t.match(await store.change('a', { revokedAtMs: 7000, lastUsedAtMs: 6000, limits: {} }), {
    revokedAtMs: 7000,
    lastUsedAtMs: 6000,
    limits: {}
  })
  t.equal(await store.change('b', { name: 'x' }), undefined)
  t.match(await store.change('a', {}), { name: 'the key a', revokedAtMs: 7000 }, 'nothing is a change too')
  t.equal(await store.change('b', {}), undefined)
})

onBothDatabases('a list is the newest first, page by page, each key once', async (t, { open }) => {
  const store = new DatabaseKeyStore(await open())
  // several in one millisecond, as a script makes them
  for (const id of ['e', 'a', 'd', 'b', 'c']) await store.add(newKey(id, { createdAtMs: id < 'c' ? 2000 : 1000 }))
  await store.add(newKey('z', { namespace: 'other', createdAtMs: 1500 }))
  const seen: string[] = []
  for (let after: string | undefined, more = true; more; after = seen.at(-1)) {
    const page = await store.list({ limit: 2, ...(after === undefined ? {} : { after }) })
    seen.push(...page.keys.map(key => key.id))
    more = page.hasMore
  }
  t.strictSame(seen, ['b', 'a', 'z', 'e', 'd', 'c'])
  const { keys, hasMore } = await store.list({ namespace: 'other', limit: 1 })
  t.match(keys, [{ id: 'z' }])
  t.equal(hasMore, false)
  await t.rejects(store.list({ after: 'nobody', limit: 1 }), { code: 'not_found' })
})
