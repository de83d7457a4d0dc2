import { type PostgresServer, startPostgres } from '@resultity/test-postgres'
import pg from 'pg'
import t, { type Test } from 'tap'
import { type JobNotice, type JobStore, type JobStoreInit, openDatabase, openJobStore } from '../src/index.ts'
import { jobStoreCompliance } from './job-store-compliance.ts'
import { submission, submissions } from './support/submissions.ts'

let server: PostgresServer

t.before(async () => {
  server = await startPostgres()
})
t.teardown(() => server.stop())

async function openAt(t: Test, postgresUrl: string, init?: JobStoreInit): Promise<JobStore> {
  const database = await openDatabase({ postgresUrl })
  const store = await openJobStore(database, init)
  t.teardown(async () => {
    await store[Symbol.asyncDispose]()
    await database[Symbol.asyncDispose]()
  })
  return store
}

jobStoreCompliance(t, { open: async (t, init) => openAt(t, await server.createDatabase(), init) })

/** Resolves with the first notice that `wanted` says yes to. */
function heard(store: JobStore, wanted: (notice: JobNotice) => boolean): Promise<JobNotice> {
  return new Promise(resolve => {
    const stop = store.onNotice(notice => {
      if (!wanted(notice)) return
      stop()
      resolve(notice)
    })
  })
}

t.test('coordinators that share a store hear of each other', async t => {
  const url = await server.createDatabase()
  const [one, two] = [await openAt(t, url), await openAt(t, url)]
  const own: JobNotice[] = []
  one.onNotice(notice => own.push(notice))

  const queued = heard(two, ({ type }) => type === 'queued')
  const { job } = await one.submit(submission())
  t.strictSame(await queued, { type: 'queued', lane: 'tiny-chat' })
  const started = heard(one, ({ type }) => type === 'changed')
  const [claimed] = await two.claim('two', 60_000, [{ lane: 'tiny-chat', class: 'interactive', count: 1 }])
  t.strictSame(await started, { type: 'changed', jobId: job.id })
  const asked = heard(two, ({ type }) => type === 'cancel_requested')
  await one.cancel(job.id)
  t.strictSame(await asked, { type: 'cancel_requested', jobId: job.id })
  const ended = heard(one, ({ type }) => type === 'changed')
  if (claimed === undefined) throw new Error('not claimed')
  await two.finish(claimed.claim, { state: 'cancelled' })
  t.strictSame(await ended, { type: 'changed', jobId: job.id })
  t.equal(own.filter(({ type }) => type === 'queued').length, 1, 'its own notices come once')
})

t.test('a very large group is not told one by one', async t => {
  const url = await server.createDatabase()
  const [one, two] = [await openAt(t, url), await openAt(t, url)]
  await one.submitAll(submissions(3000, { groupId: 'batch_1' }))
  const missed = heard(two, ({ type }) => type === 'missed')
  await one.cancelGroup('batch_1')
  t.strictSame(await missed, { type: 'missed' })
  t.strictSame(await two.countGroup('batch_1'), { cancelled: 3000 })
})

t.test('a listener that was cut off comes back, and says that it may have missed something', async t => {
  const url = await server.createDatabase()
  const [one, two] = [await openAt(t, url), await openAt(t, url)]
  const missed = [heard(one, ({ type }) => type === 'missed'), heard(two, ({ type }) => type === 'missed')]
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`)
  await client.end()
  await Promise.all(missed)
  const queued = heard(two, ({ type }) => type === 'queued')
  await one.submit(submission())
  t.strictSame(await queued, { type: 'queued', lane: 'tiny-chat' })
})

t.test('coordinators at once share the queue, and each job has one owner', async t => {
  const url = await server.createDatabase()
  const stores = await Promise.all(Array.from({ length: 3 }, () => openAt(t, url)))
  const total = 300
  await Promise.all(
    stores.map((store, index) => store.submitAll(submissions(total / stores.length, { keyId: `key ${index}` })))
  )
  const ids: string[] = []
  await Promise.all(
    stores.map(async (store, index) => {
      for (;;) {
        const claimRequest = { lane: 'tiny-chat', class: 'interactive', count: 7 } as const
        const claimed = await store.claim(`owner ${index}`, 60_000, [claimRequest])
        if (claimed.length === 0) return
        ids.push(...claimed.map(({ job }) => job.id))
        for (const { job, claim } of claimed) {
          await store.append(claim, job.eventCount, [{ type: 'token', data: index }])
          await store.finish(claim, { state: 'cancelled' })
        }
      }
    })
  )
  t.equal(ids.length, total)
  t.equal(new Set(ids).size, total)
  const [store] = stores
  t.strictSame(await store?.counts(), [])
})

t.test('a text that PostgreSQL cannot hold is refused, and takes nobody along', async t => {
  const store = await openAt(t, await server.createDatabase())
  const good = submissions(5)
  const results = await Promise.allSettled([
    ...good.map(one => store.submit(one)),
    store.submit(submission({ namespace: 'a\u0000b' }))
  ])
  t.match(results.at(-1), { status: 'rejected', reason: { code: 'invalid_request' } })
  for (const { id } of good) t.equal((await store.get(id))?.state, 'queued')
})
