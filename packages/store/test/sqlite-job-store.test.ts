import t, { type Test } from 'tap'
import { type JobStore, type JobStoreInit, openDatabase, openJobStore } from '../src/index.ts'
import { jobStoreCompliance } from './job-store-compliance.ts'
import { submission } from './support/submissions.ts'

async function open(t: Test, init?: JobStoreInit): Promise<JobStore> {
  return (await openAt(t, t.testdir(), init)).store
}

async function openAt(t: Test, dataDir: string, init?: JobStoreInit) {
  const database = await openDatabase({ dataDir })
  t.teardown(() => database[Symbol.asyncDispose]())
  return { database, store: await openJobStore(database, init) }
}

jobStoreCompliance(t, { open })

t.test('what was running when the process ended is queued again', async t => {
  const dataDir = t.testdir()
  const first = await openAt(t, dataDir)
  const { job, claim } = await first.store.submit(submission(), { owner: 'one', leaseMs: 60_000 })
  const waiting = await first.store.submit(submission({ lane: 'other' }))
  if (claim === undefined) throw new Error('not begun')
  await first.store.append(claim, 2, [{ type: 'token', data: 'a' }])
  await first.database[Symbol.asyncDispose]()

  const { store } = await openAt(t, dataDir)
  t.strictSame(await store.get(waiting.job.id), waiting.job)
  t.match(await store.get(job.id), { state: 'queued', attempts: 1, interruptions: 1, eventCount: 3 })
  const [again] = await store.claim('one', 60_000, [{ lane: 'tiny-chat', class: 'interactive', count: 1 }])
  if (again === undefined) throw new Error('not claimed')
  t.equal(await store.append(again.claim, again.job.eventCount, [{ type: 'token', data: 'b' }]), 4)
  t.strictSame(
    (await store.events(job.id, 0, 9)).map(({ number, type, data }) => [number, type, data]),
    [
      [1, 'queued', null],
      [2, 'started', null],
      [3, 'token', 'a'],
      [4, 'token', 'b']
    ]
  )
})
