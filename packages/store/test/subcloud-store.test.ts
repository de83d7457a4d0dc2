import { SubcloudStore } from '../src/index.ts'
import { onBothDatabases } from './support/both-databases.ts'

onBothDatabases('subclouds are kept by name, the last definition of each', async (t, { open }) => {
  const store = new SubcloudStore(await open())
  t.same(await store.list(), [])
  await store.put({ name: 'us', definition: { region: "'); drop table subcloud; --" }, changedAtMs: 1 })
  await store.put({ name: 'eu', definition: { region: 'eu' }, changedAtMs: 1 })
  await store.put({ name: 'eu', definition: { labels: { tier: 'gold' }, isolated: true }, changedAtMs: 2 ** 42 })
  t.same(await new SubcloudStore(await open()).list(), [
    { name: 'eu', definition: { labels: { tier: 'gold' }, isolated: true }, changedAtMs: 2 ** 42 },
    { name: 'us', definition: { region: "'); drop table subcloud; --" }, changedAtMs: 1 }
  ])
  t.equal(await store.remove('us'), true)
  t.equal(await store.remove('us'), false)
  t.equal((await store.list()).length, 1)
})
