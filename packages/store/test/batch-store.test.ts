import { DatabaseBatchStore, DatabaseFileStore, type NewBatch, REQUEST_FILE, type StoredFile } from '../src/index.ts'
import { onBothDatabases } from './support/both-databases.ts'

function newBatch(id: string, overrides: Partial<NewBatch> = {}): NewBatch {
  return {
    id,
    namespace: 'default',
    keyId: null,
    jobId: `req_${id}`,
    endpoint: '/v1/chat/completions',
    inputFileId: 'file-a',
    completionWindow: '24h',
    metadata: { 'a\u0000': '' },
    outputExpiresSeconds: null,
    subcloud: null,
    createdAtMs: 1000,
    expiresAtMs: 2000,
    ...overrides
  }
}

function file(id: string, overrides: Partial<StoredFile> = {}): StoredFile {
  return {
    id,
    contentId: `cnt_${id}`,
    namespace: 'default',
    filename: `'); drop table file; -- \u0000 ${id}`,
    purpose: 'batch',
    bytes: 2 ** 33,
    createdAtMs: 1000,
    expiresAtMs: null,
    ...overrides
  }
}

onBothDatabases('a batch is found as it was added, and adding it again changes nothing', async (t, { open }) => {
  const store = new DatabaseBatchStore(await open())
  const added = await store.add(newBatch('a'))
  t.equal((await store.add(newBatch('b', { subcloud: 'eu' }))).subcloud, 'eu')
  t.match(added, { ...newBatch('a'), status: 'validating', entered: {}, linesTotal: null, linesTaken: 0 })
  await store.change('a', ['validating'], { status: 'in_progress', linesTotal: 5 }, 1500)
  t.match(await store.add(newBatch('a')), { status: 'in_progress', linesTotal: 5, entered: { in_progress: 1500 } })
  t.match(await new DatabaseBatchStore(await open()).find('a'), { status: 'in_progress' }, 'by another process too')
  t.equal(await store.find('c'), undefined)
})

onBothDatabases('a batch changes only from the statuses that are named', async (t, { open }) => {
  const store = new DatabaseBatchStore(await open())
  await store.add(newBatch('a'))
  const [taken, cancelled] = await Promise.all([
    store.change('a', ['validating'], { status: 'in_progress' }, 1),
    store.change('a', ['validating', 'in_progress'], { status: 'cancelling' }, 2)
  ])
  t.equal(cancelled?.status, 'cancelling', 'whoever comes first')
  t.match(await store.find('a'), { status: 'cancelling', entered: { cancelling: 2 } })
  t.equal(await store.change('a', ['in_progress'], { linesTaken: 7 }, 3), undefined)
  t.match(await store.change('a', ['cancelling'], { linesTaken: 7 }, 3), { linesTaken: 7, entered: { cancelling: 2 } })
  t.equal(await store.change('nobody', ['cancelling'], { linesTaken: 7 }, 3), undefined)
  t.ok(taken === undefined || taken.status === 'in_progress')
})

onBothDatabases('errors of lines are kept once, and read in the order of the lines', async (t, { open }) => {
  const store = new DatabaseBatchStore(await open())
  const error = { code: 'invalid_request', message: 'm\u0000', param: null }
  const errors = Array.from({ length: 1200 }, (_, index) => ({
    line: 1200 - index,
    customId: index % 2 === 0 ? `c\u0000${index}` : null,
    error
  }))
  await store.addLineErrors('a', errors)
  await store.addLineErrors('a', errors)
  await store.addLineErrors('b', [])
  t.equal(await store.countLineErrors('a'), 1200)
  t.equal(await store.countLineErrors('b'), 0)
  t.same(await store.lineErrors('a', 1198, 10), [errors[1], errors[0]])
  t.same(
    (await store.lineErrors('a', 0, 3)).map(({ line }) => line),
    [1, 2, 3]
  )
})

onBothDatabases('batches are listed page by page, the newest first, each namespace its own', async (t, { open }) => {
  const store = new DatabaseBatchStore(await open())
  for (const id of ['b', 'a', 'c']) await store.add(newBatch(id))
  await store.add(newBatch('d', { createdAtMs: 2000 }))
  await store.add(newBatch('z', { namespace: 'other' }))
  const first = await store.list({ namespace: 'default', limit: 2 })
  t.same([first.batches.map(batch => batch.id), first.hasMore], [['d', 'c'], true])
  const second = await store.list({ namespace: 'default', limit: 2, after: 'c' })
  t.same([second.batches.map(batch => batch.id), second.hasMore], [['b', 'a'], false])
  await t.rejects(store.list({ namespace: 'default', limit: 2, after: 'x' }), { code: 'not_found' })
})

onBothDatabases('files are kept, replaced, listed and removed', async (t, { open }) => {
  const store = new DatabaseFileStore(await open())
  for (const id of ['b', 'a', 'c']) await store.put(file(id))
  await store.put(file('a', { bytes: 5 }))
  t.strictSame(await store.find('a'), file('a', { bytes: 5 }))
  await store.put(file('o', { purpose: 'batch_output', createdAtMs: 3000 }))
  const ids = async (filter: object) =>
    (await store.list({ namespace: 'default', limit: 10, ...filter })).files.map(one => one.id)
  t.same(await ids({}), ['o', 'c', 'b', 'a'])
  t.same(await ids({ order: 'asc', after: 'a' }), ['b', 'c', 'o'])
  t.same(await ids({ purpose: 'batch', after: 'c' }), ['b', 'a'])
  t.same(await ids({ namespace: 'other' }), [])
  await store.put(file('r', { purpose: REQUEST_FILE }))
  t.same(await ids({}), ['o', 'c', 'b', 'a'], 'one that came with a request is part of that')
  t.same(await ids({ purpose: REQUEST_FILE }), [])
  t.same([...(await store.kept(['cnt_a', 'cnt_x', 'cnt_b']))].toSorted(), ['cnt_a', 'cnt_b'])
  t.equal(await store.remove('a'), true)
  t.equal(await store.remove('a'), false)
  await t.rejects(store.list({ namespace: 'default', limit: 2, after: 'a' }), { code: 'not_found' })
})

onBothDatabases('a file past its time goes, but not under a batch that reads it', async (t, { open }) => {
  const database = await open()
  const files = new DatabaseFileStore(database)
  const batches = new DatabaseBatchStore(database)
  await files.put(file('read', { expiresAtMs: 5 }))
  await files.put(file('old', { expiresAtMs: 5 }))
  await files.put(file('new', { expiresAtMs: 6 }))
  await files.put(file('kept'))
  await batches.add(newBatch('a', { inputFileId: 'read' }))
  t.equal(await batches.reads('read'), true)
  t.same(
    (await files.expired(5, 10)).map(one => one.id),
    ['old']
  )
  await batches.change('a', ['validating'], { status: 'failed' }, 1)
  t.equal(await batches.reads('read'), false)
  t.equal((await files.expired(5, 10)).length, 2)
})
