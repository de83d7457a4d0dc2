import { mock } from 'node:test'
import type { Insertable } from 'kysely'
import { OpenJobs, type StoreDatabase, windowCounters } from '../src/index.ts'
import type { JobTable } from '../src/migrations/0001-jobs.ts'
import { onBothDatabases } from './support/both-databases.ts'

onBothDatabases('a counter counts in its window, and begins anew after it', async (t, { open }) => {
  const database = await open()
  const counters = windowCounters(database)
  // only the date: connections go on with their own timers
  mock.timers.enable({ apis: ['Date'], now: 1_700_000_000_000 })
  t.teardown(() => mock.timers.reset())
  t.equal(await counters.read('a'), undefined)
  t.strictSame(await counters.add('a', 5, 1001), { used: 5, endsAtMs: 1_700_000_001_001 })
  mock.timers.setTime(1_700_000_000_400)
  t.strictSame(await counters.add('a', 7, 1001), { used: 12, endsAtMs: 1_700_000_001_001 })
  t.strictSame(await counters.add('a', -4, 1001), { used: 8, endsAtMs: 1_700_000_001_001 })
  t.strictSame(await counters.add('b c', 1, 333.25), { used: 1, endsAtMs: 1_700_000_000_733.25 })
  mock.timers.setTime(1_700_000_001_000)
  t.match(await counters.read('a'), { used: 8 })
  mock.timers.setTime(1_700_000_001_001)
  t.equal(await counters.read('a'), undefined)
  t.match(await counters.add('a', 2, 1000), { used: 2 })
  mock.timers.setTime(1_700_000_009_000)
  await counters.prune()
  const left = await database.kysely.selectFrom('rate_limit').selectAll().execute()
  t.strictSame(left, [])
})

onBothDatabases('what is counted at once is all counted', async (t, { open }) => {
  const counters = windowCounters(await open())
  const readings = await Promise.all(Array.from({ length: 50 }, () => counters.add('a', 1, 600_000)))
  t.strictSame(
    readings.map(({ used }) => used).toSorted((a, b) => a - b),
    Array.from({ length: 50 }, (_, index) => index + 1)
  )
})

onBothDatabases('coordinators that share a database count together', async (t, { open }) => {
  const [a, b] = [await open(), await open()]
  const readings = [windowCounters(a), windowCounters(b)].map(counters => counters.add('k', 3, 600_000))
  const used = (await Promise.all(readings)).map(reading => reading.used).toSorted()
  // with SQLite there is only one coordinator, which counts in memory
  t.strictSame(used, a.dialect === 'sqlite' ? [3, 3] : [3, 6])
})

async function addJob({ kysely }: StoreDatabase, id: string, job: Partial<Insertable<JobTable>>): Promise<void> {
  const whole = {
    ...({ id, namespace: 'n', endpoint: '/v1/a', key_id: 'k', class: 'interactive', lane: 'l', hidden: 0 } as const),
    ...({ expires_at_ms: 0, attempts_max: 1, attempts: 0, interruptions: 0, cancel_requested: 0 } as const),
    ...({ event_count: 1, start_tag: 0, lease_until_ms: 0, created_at_ms: 0, state: 'queued' } as const),
    ...job
  }
  await kysely.insertInto('job').values(whole).execute()
}

onBothDatabases('open jobs are those of the key that have not ended', async (t, { open }) => {
  const database = await open()
  const jobs = new OpenJobs(database)
  t.equal(await jobs.count('k'), 0)
  await addJob(database, '1', {})
  await addJob(database, '2', { state: 'running', endpoint: '/v1/b' })
  await addJob(database, '3', { state: 'succeeded' })
  await addJob(database, '4', { key_id: 'other' })
  await addJob(database, '5', { key_id: null })
  await addJob(database, '6', { hidden: 1 })
  t.equal(await jobs.count('k'), 2)
  t.equal(await jobs.count('k', '/v1/b'), 1)
  t.equal(await jobs.count('k', '/v1/c'), 0)
})
