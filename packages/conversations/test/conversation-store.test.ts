import { NamespaceBytes, openDatabase, type StoreDatabase } from '@resultity/store'
import { type PostgresServer, startPostgres } from '@resultity/test-postgres'
import t, { type Test } from 'tap'
import { ConversationStore, type StoredItem } from '../src/conversation-store.ts'

let server: Promise<PostgresServer> | undefined
t.teardown(async () => (await server)?.stop())

/** The same test on SQLite and on PostgreSQL. */
function onBothDatabases(promise: string, test: (t: Test, database: StoreDatabase) => Promise<void>): void {
  t.test(`${promise} (SQLite)`, async t => {
    await using database = await openDatabase({ dataDir: t.testdir({}) })
    await test(t, database)
  })
  t.test(`${promise} (PostgreSQL)`, async t => {
    server ??= startPostgres()
    await using database = await openDatabase({ postgresUrl: await (await server).createDatabase() })
    await test(t, database)
  })
}

const said = (id: string, text = id): StoredItem => ({ id, type: 'message', role: 'user', content: text })
const conversation = { id: 'conv_1', namespace: 'here', metadata: { topic: "'); drop --" }, createdAtMs: 2 ** 42 }
const ids = (items: readonly StoredItem[]) => items.map(({ id }) => id)

onBothDatabases('items are kept in the order in which they came, each once', async (t, database) => {
  const store = new ConversationStore(database)
  await store.add(conversation)
  t.match(await store.find('conv_1'), { ...conversation, itemCount: 0 })
  t.equal(await store.find('conv_2'), undefined)
  t.equal(await store.addItems('conv_1', [said('a', 'nul \0'), said('b'), said('b', 'again')]), true)
  t.equal(await store.addItems('conv_1', [said('a', 'other'), said('c')]), true)
  t.equal(await store.addItems('conv_2', [said('a')]), false, 'there is no such conversation')
  const all = await store.items('conv_1', { order: 'asc', limit: 10 })
  t.same(all, { items: [said('a', 'nul \0'), said('b', 'again'), said('c')], hasMore: false })
  t.match(await store.find('conv_1'), { itemCount: 3 })
  const page = await store.items('conv_1', { order: 'desc', limit: 1, after: 'c' })
  t.same([ids(page.items), page.hasMore], [['b'], true])
  t.same(ids((await store.items('conv_1', { order: 'asc', limit: 2, after: 'a' })).items), ['b', 'c'])
  await t.rejects(store.items('conv_1', { order: 'asc', limit: 2, after: 'x' }), {
    code: 'invalid_request',
    details: { param: 'after' }
  })
  t.same(await store.item('conv_1', 'b'), said('b', 'again'))
  t.equal(await store.removeItem('conv_1', 'b'), true)
  t.equal(await store.removeItem('conv_1', 'b'), false)
  t.equal(await store.item('conv_1', 'b'), undefined)
  await store.addItems('conv_1', [said('d')])
  t.same(ids((await store.items('conv_1', { order: 'asc', limit: 10 })).items), ['a', 'c', 'd'])
})

onBothDatabases('many add at once', async (t, database) => {
  const store = new ConversationStore(database)
  await store.add(conversation)
  const turns = Array.from({ length: 8 }, (_, turn) => [said(`q${turn}`), said(`a${turn}`), said('all')])
  await Promise.all(turns.map(items => store.addItems('conv_1', items)))
  const { items } = await store.items('conv_1', { order: 'asc', limit: 100 })
  t.equal(items.length, 17)
  for (const [question, answer] of turns) {
    t.equal(ids(items).indexOf(answer?.id ?? ''), ids(items).indexOf(question?.id ?? '') + 1, 'a turn stays together')
  }
})

onBothDatabases('items go one by one while all of them go', async (t, database) => {
  const store = new ConversationStore(database)
  const items = Array.from({ length: 40 }, (_, index) => said(`i${index}`))
  for (let round = 0; round < 10; round++) {
    await store.add({ ...conversation, id: `conv_${round}` }, items)
    await Promise.all([
      ...items.slice(0, 20).map(({ id }) => store.removeItem(`conv_${round}`, id)),
      store.remove(`conv_${round}`),
      ...items.slice(20).map(({ id }) => store.removeItem(`conv_${round}`, id))
    ])
    t.equal(await store.item(`conv_${round}`, 'i39'), undefined)
  }
  t.equal(await new NamespaceBytes(database, 1e6).count('here'), 0)
})

onBothDatabases('what is stored counts in its namespace until it is gone', async (t, database) => {
  const store = new ConversationStore(database)
  const bytes = new NamespaceBytes(database, 1e6)
  await store.add(conversation)
  const empty = await bytes.count('here')
  t.ok(empty > 0)
  await store.addItems('conv_1', [said('a', 'x'.repeat(1000)), said('b')])
  const full = await bytes.count('here')
  t.ok(full > empty + 1000)
  t.equal((await store.find('conv_1'))?.bytes, full)
  await t.rejects(store.addItems('conv_1', [said('c')], { items: 2, bytes: 1e6 }), { code: 'invalid_request' })
  await t.rejects(store.addItems('conv_1', [said('c')], { items: 9, bytes: full }), { code: 'invalid_request' })
  t.equal(await bytes.count('here'), full, 'what is refused changes nothing')
  t.same(ids((await store.items('conv_1', { order: 'asc', limit: 9 })).items), ['a', 'b'])
  await store.setMetadata('conv_1', { topic: 'x'.repeat(500) })
  t.ok((await bytes.count('here')) > full + 400)
  await store.setMetadata('conv_1', conversation.metadata)
  t.equal(await bytes.count('here'), full)
  await store.removeItem('conv_1', 'a')
  await store.removeItem('conv_1', 'b')
  t.equal(await bytes.count('here'), empty)
  await store.remove('conv_1')
  t.equal(await bytes.count('here'), 0)
  t.equal(await store.find('conv_1'), undefined)
})
