import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { DatabaseFileStore, type JobClaim, NamespaceBytes, openJobStore } from '../src/index.ts'
import { LOG_PAGE_BYTES_MAX, type LogRow, pageOf } from '../src/jobs/log-page.ts'
import { onBothDatabases } from './support/both-databases.ts'
import { submission } from './support/submissions.ts'

const owner = { owner: 'me', leaseMs: 600_000 }
const KIB = 1024

onBothDatabases('a namespace counts what is stored and reserved, whatever becomes of it', async (t, { open }) => {
  const database = await open()
  await using store = await openJobStore(database)
  const files = new DatabaseFileStore(database)
  const bytes = new NamespaceBytes(database, Number.MAX_SAFE_INTEGER)
  const count = () => bytes.count('default')
  t.equal(await count(), 0)
  const begin = async (job: object = {}): Promise<JobClaim> => {
    const { claim } = await store.submit(submission({ namespace: 'default', reservedBytes: 50 * KIB, ...job }), owner)
    if (claim === undefined) throw new Error('it was not begun')
    return claim
  }
  const one = await begin({ lane: 'a' })
  const reserved = await count()
  t.ok(reserved > 50 * KIB)
  await store.append(one, 2, [{ type: 'a', data: 'x'.repeat(10 * KIB) }])
  t.equal(await count(), reserved, 'what it writes was reserved')
  await store.append(one, 3, [{ type: 'a', data: 'x'.repeat(60 * KIB) }])
  t.ok((await count()) > 70 * KIB, 'a log that outgrows that counts all the same')
  const result = { status: 200, headers: {}, body: 'y'.repeat(20 * KIB) }
  await store.finish(one, { state: 'succeeded', result, usage: null })
  const kept = await count()
  t.ok(kept > 90 * KIB && kept < 95 * KIB, `${kept}: what it has, once it has ended`)
  const cancelled = await begin({ lane: 'b' })
  await store.cancel(cancelled.jobId)
  await store.finish(cancelled, { state: 'cancelled' })
  await store.submitAll(
    ['c', 'd'].map(lane => submission({ namespace: 'default', lane, groupId: 'g', reservedBytes: 50 * KIB }))
  )
  await store.cancelGroup('g')
  await store.submit(submission({ namespace: 'default', lane: 'e', waitMs: -1, reservedBytes: 50 * KIB }))
  await store.sweep()
  t.ok((await count()) < kept + 10 * KIB, 'of those that ended nothing is reserved')
  const file = { id: 'file-1', contentId: 'cnt_1', namespace: 'default', filename: 'a', purpose: 'batch' }
  const before = await count()
  await files.put({ ...file, bytes: 1000, createdAtMs: 1, expiresAtMs: null })
  await files.put({ ...file, bytes: 3000, createdAtMs: 1, expiresAtMs: null })
  t.equal(await count(), before + 3000)
  await files.remove(file.id)
  const { jobs } = await store.list({ namespace: 'default', hidden: true, limit: 100 })
  for (const { id } of jobs) t.equal(await store.remove(id), true)
  t.equal(await count(), 0, 'and nothing when all is gone')
})

onBothDatabases('however many reserve at once, no more is reserved than there is room for', async (t, { open }) => {
  const [here, elsewhere] = await Promise.all([open(), open()])
  const places = [here, elsewhere].map(database => new NamespaceBytes(database, 1000))
  const claimRequests = Array.from({ length: 30 }, (_, index) => places[index % 2]?.reserve('a', 90))
  const settled = await Promise.allSettled(claimRequests)
  const reserved = settled.flatMap(one => (one.status === 'fulfilled' && one.value !== undefined ? [one.value] : []))
  const refused = settled.flatMap(one => (one.status === 'rejected' ? [one.reason] : []))
  t.equal(reserved.length, 11)
  for (const error of refused) t.match(error, { code: 'storage_quota_exceeded', details: { bytesMax: 1000 } })
  const [first] = reserved
  await t.rejects(first?.grow(11) ?? Promise.resolve(), { code: 'storage_quota_exceeded' })
  await first?.grow(10)
  for (const one of [...reserved, ...reserved]) await one.release()
  t.equal(await places[0]?.count('a'), 0)
})

t.test('a log is read in pages of some size, and whole', async t => {
  const rows = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: LOG_PAGE_BYTES_MAX })), {
    maxLength: 12
  })
  assertProperty(
    fc.property(rows, fc.integer({ min: 1, max: 60 }), (sizes, limit) => {
      let last = 0
      const log = sizes.map(([entries, bytes]): LogRow => {
        last += entries
        return [last, 'x'.repeat(bytes)]
      })
      const read: LogRow[] = []
      for (let after = 0; after < last; after = read.at(-1)?.[0] ?? last) {
        const page = pageOf(
          log.filter(([number]) => number > after),
          after,
          limit
        )
        const bytes = page.reduce((sum, [, entries]) => sum + entries.length, 0)
        if (page.length === 0 || (page.length > 1 && bytes > LOG_PAGE_BYTES_MAX)) return false
        read.push(...page)
      }
      return JSON.stringify(read.map(([number]) => number)) === JSON.stringify(log.map(([number]) => number))
    }),
    { numRuns: 100 }
  )
  t.pass('every row, none twice')
})
