import { mock } from 'node:test'
import { steadyClock } from '@resultity/interface'
import { type Insertable, sql } from 'kysely'
import { OpenJobs, type StoreDatabase, windowCounters } from '../src/index.ts'
import type { JobTable } from '../src/migrations/0001-jobs.ts'
import { onBothDatabases } from './support/both-databases.ts'

/** Lets time pass for counters: in memory by their clock, in a database by moving the ends of windows. */
function timeFor(database: StoreDatabase) {
  const clock = {
    ms: 1_700_000_000_000,
    now: () => clock.ms
  }
  const pass = async (ms: number): Promise<void> => {
    clock.ms += ms
    if (database.dialect === 'sqlite') return
    await database.kysely
      .updateTable('rate_limit')
      .set({ expire: sql`expire - ${ms}::bigint` })
      .execute()
  }
  return { counters: windowCounters(database, clock), clock, pass }
}

onBothDatabases('a counter counts in its window, and begins anew after it', async (t, { open }) => {
  const database = await open()
  const { counters, clock, pass } = timeFor(database)
  const begun = clock.ms
  t.equal(await counters.read('a'), undefined)
  const first = await counters.add('a', 5, 600_000)
  t.equal(first.used, 5)
  t.ok(first.endsAtMs > begun + 500_000 && first.endsAtMs <= begun + 600_000)
  await pass(100_000)
  t.match(await counters.add('a', 7, 600_000), { used: 12 })
  const { used, endsAtMs } = await counters.add('a', -4, 600_000)
  t.equal(used, 8)
  t.ok(endsAtMs <= begun + 600_000, 'it is the same window')
  t.match(await counters.add('b c', 1, 333.25), { used: 1 })
  t.match(await counters.read('a'), { used: 8 })
  await pass(500_000)
  t.equal(await counters.read('a'), undefined)
  t.match(await counters.add('a', 2, 1000), { used: 2 })
  await pass(9000)
  await counters.prune()
  const left = await database.kysely.selectFrom('rate_limit').selectAll().execute()
  t.strictSame(left, [])
})

onBothDatabases('a clock that was set back by hours locks nobody out', async (t, { open }) => {
  const database = await open()
  mock.timers.enable({ apis: ['Date'], now: Date.now() })
  t.teardown(() => mock.timers.reset())
  const counters = windowCounters(database)
  await counters.add('a', 60, 600_000)
  for (const hours of [-6, 12]) {
    mock.timers.setTime(Date.now() + hours * 3_600_000)
    const { used = 0, endsAtMs = 0 } = (await counters.read('a')) ?? {}
    t.equal(used, 60, 'the clock of this machine ends no window')
    t.ok(endsAtMs - steadyClock.now() <= 600_000, 'nor makes it longer')
  }
  // the database server's clock was six hours ahead when the window began
  await database.kysely.updateTable('rate_limit').set({ expire: sql`expire + 21600000` }).execute()
  if (database.dialect === 'postgres') t.match(await counters.add('a', 1, 600_000), { used: 1 })
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

onBothDatabases('open jobs are those of the key that have not ended, whatever made them', async (t, { open }) => {
  const database = await open()
  const jobs = new OpenJobs(database, ['group'])
  t.strictSame(await jobs.count('k'), { places: 0, waiting: 0 })
  await addJob(database, '1', {})
  await addJob(database, '2', { state: 'running', endpoint: '/v1/b' })
  await addJob(database, '3', { state: 'succeeded' })
  await addJob(database, '4', { key_id: 'other' })
  await addJob(database, '5', { key_id: null })
  // a part of another job, or a line of a batch, that makes three choices at once
  await addJob(database, '6', { hidden: 1, places: 3 })
  await addJob(database, '7', { lane: 'group' })
  await addJob(database, '8', { lane: 'group', hidden: 1 })
  t.strictSame(await jobs.count('k'), { places: 5, waiting: 1 })
  t.strictSame(await jobs.count('k', '/v1/b'), { places: 1, waiting: 0 })
  t.strictSame(await jobs.count('k', '/v1/c'), { places: 0, waiting: 0 })
})
