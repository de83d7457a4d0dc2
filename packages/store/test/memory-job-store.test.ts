import { type Scheduler, systemScheduler, type Timer } from '@resultity/interface'
import t, { type Test } from 'tap'
import { type JobStoreInit, MemoryDisk, openDatabase, openJobStore } from '../src/index.ts'
import { jobStoreCompliance } from './job-store-compliance.ts'
import { submission } from './support/submissions.ts'

async function open(t: Test, disk = new MemoryDisk(), init?: JobStoreInit, scheduler: Scheduler = systemScheduler) {
  const database = await openDatabase({ disk, scheduler, latencyMs: () => 0 })
  t.teardown(() => database[Symbol.asyncDispose]())
  return { database, store: await openJobStore(database, init) }
}

jobStoreCompliance(t, { open: async (t, init) => (await open(t, undefined, init)).store })

t.test('what was committed outlives the process, and a transaction that was open does not', async t => {
  const disk = new MemoryDisk()
  const timers = new Set<Timer>()
  let ended = false
  const untilItEnds: Scheduler = {
    ...systemScheduler,
    setTimeout: (run, ms) => {
      const timer = systemScheduler.setTimeout(() => (ended ? undefined : run()), ms)
      timers.add(timer)
      return timer
    }
  }
  const first = await open(t, disk, undefined, untilItEnds)
  const { job } = await first.store.submit(submission(), { owner: 'one', leaseMs: 60_000 })
  const begun = Promise.withResolvers<void>()
  const unfinished = first.database.kysely.transaction().execute(async transaction => {
    await transaction.deleteFrom('job').execute()
    begun.resolve()
    await new Promise(() => {})
  })
  unfinished.catch(() => {})
  await begun.promise
  ended = true
  for (const timer of timers) systemScheduler.clear(timer)
  const { store } = await open(t, disk)
  t.match(await store.get(job.id), { state: 'queued', attempts: 1, interruptions: 1 })
})
