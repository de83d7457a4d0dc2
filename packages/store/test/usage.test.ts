import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import {
  type JobOutcome,
  type JobStore,
  type JobSubmission,
  openDatabase,
  openJobStore,
  UsageLedger
} from '../src/index.ts'
import { onBothDatabases } from './support/both-databases.ts'
import { submission } from './support/submissions.ts'

const EVER = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER, limit: 100 }
const DAY_MS = 86_400_000
const result = { status: 200, headers: {}, body: 'ok' }

function succeeded(promptTokens: number, completionTokens: number): JobOutcome {
  return { state: 'succeeded', result, usage: { promptTokens, completionTokens } }
}

const failed: JobOutcome = {
  state: 'failed',
  error: { code: 'engine_failed', message: 'it broke', param: null }
}

/** Stores a job, begins it and ends it so. */
async function runJob(store: JobStore, outcome: JobOutcome, over: Partial<JobSubmission> = {}) {
  const { job, claim } = await store.submit(submission(over), { owner: 'one', leaseMs: 60_000 })
  if (claim === undefined) throw new Error('it was not begun')
  await store.finish(claim, outcome)
  return { job, claim }
}

onBothDatabases('what a job took is written down with its end, once', async (t, { open }) => {
  const database = await open()
  const store = await openJobStore(database)
  t.teardown(() => store[Symbol.asyncDispose]())
  const ledger = new UsageLedger(database, ['group', 'group:outer'])
  t.match(await ledger.report({ ...EVER, groupBy: [] }), {
    sums: [{ requests: 0, failures: 0, promptTokens: 0, completionTokens: 0 }],
    hasMore: false
  })
  const { job, claim } = await runJob(store, succeeded(10, 5))
  await t.rejects(store.finish(claim, succeeded(10, 5)), { code: 'job_lease_lost' })
  const expected = { request: job.id, requests: 1, failures: 0, promptTokens: 10, completionTokens: 5 }
  t.strictSame((await ledger.report({ ...EVER, groupBy: ['request'] })).sums, [expected])
  await store.remove(job.id)
  t.strictSame((await ledger.report({ ...EVER, groupBy: ['request'] })).sums, [expected], 'it outlives the job')
})

onBothDatabases('every way to end counts, and only an end', async (t, { open }) => {
  const database = await open()
  const store = await openJobStore(database)
  t.teardown(() => store[Symbol.asyncDispose]())
  const ledger = new UsageLedger(database, ['group', 'group:outer'])
  const total = async () => (await ledger.report({ ...EVER, groupBy: [] })).sums[0]
  // tried again: nothing has ended
  const retried = await store.submit(submission(), { owner: 'one', leaseMs: 60_000 })
  if (retried.claim === undefined) throw new Error('it was not begun')
  await store.finish(retried.claim, { state: 'queued', interrupted: true })
  t.match(await total(), { requests: 0 })
  const [again] = await store.claim('two', 60_000, [{ lane: 'tiny-chat', class: 'interactive', count: 1 }])
  if (again === undefined) throw new Error('it was not begun again')
  await store.finish(again.claim, succeeded(7, 3))
  t.match(await total(), { requests: 1, failures: 0, promptTokens: 7, completionTokens: 3 })

  await runJob(store, failed)
  await runJob(store, { state: 'cancelled' })
  const { job } = await store.submit(submission())
  await store.cancel(job.id)
  await store.submit(submission({ waitMs: -1 }))
  await store.sweep()
  await store.submit(submission({ groupId: 'batch_1' }))
  await store.cancelGroup('batch_1')
  t.match(await total(), { requests: 6, failures: 5, promptTokens: 7, completionTokens: 3 })
})

onBothDatabases('usage is summed by what is asked for, within what is asked for', async (t, { open }) => {
  const database = await open()
  const store = await openJobStore(database)
  t.teardown(() => store[Symbol.asyncDispose]())
  const ledger = new UsageLedger(database, ['group', 'group:outer'])
  await runJob(store, succeeded(1, 2), { namespace: 'a', keyId: 'k1', lane: 'm1' })
  await runJob(store, succeeded(10, 20), { namespace: 'a', keyId: 'k2', lane: 'm2' })
  await runJob(store, succeeded(100, 200), { namespace: 'b', keyId: null, lane: 'm1' })
  const sums = async (filter: object) => (await ledger.report({ ...EVER, groupBy: [], ...filter })).sums
  t.strictSame(await sums({ groupBy: ['namespace'] }), [
    { namespace: 'a', requests: 2, failures: 0, promptTokens: 11, completionTokens: 22 },
    { namespace: 'b', requests: 1, failures: 0, promptTokens: 100, completionTokens: 200 }
  ])
  t.match(await sums({ groupBy: ['lane', 'namespace'] }), [
    { lane: 'm1', namespace: 'a', promptTokens: 1 },
    { lane: 'm1', namespace: 'b', promptTokens: 100 },
    { lane: 'm2', namespace: 'a', promptTokens: 10 }
  ])
  t.match(await sums({ namespace: 'a' }), [{ promptTokens: 11 }])
  t.match(await sums({ keyId: 'k2' }), [{ promptTokens: 10 }])
  t.match(await sums({ lane: 'm1' }), [{ promptTokens: 101 }])
  await runJob(store, succeeded(1000, 0), { namespace: 'c', keyId: null, lane: 'part:🙂:m1' })
  for (const lane of ['m1', '🙂:m1']) t.match(await sums({ lane, namespace: 'c' }), [{ promptTokens: 1000 }], lane)
  t.match(await sums({ lane: '1', namespace: 'c' }), [{ requests: 0 }])
  t.match(await sums({ namespace: "a' or 1=1 --" }), [{ requests: 0 }])
  t.equal((await sums({ groupBy: ['key'] })).length, 3)
  const today = await sums({ groupBy: ['day'] })
  t.match(today, [{ requests: 4 }])
  t.ok(Number.isInteger(today[0]?.day) && Math.abs((today[0]?.day ?? 0) - Date.now() / DAY_MS) < 2)
  t.match(await ledger.report({ ...EVER, groupBy: ['request'], limit: 2 }), { sums: { length: 2 }, hasMore: true })
  t.match(await sums({ toMs: 1 }), [{ requests: 0 }])
  t.equal(await ledger.prune(Number.MAX_SAFE_INTEGER), 4)
  t.match(await sums({}), [{ requests: 0 }])
})

onBothDatabases('parts count with their tokens, and what waited for them with its request', async (t, { open }) => {
  const database = await open()
  const store = await openJobStore(database)
  t.teardown(() => store[Symbol.asyncDispose]())
  const ledger = new UsageLedger(database, ['group', 'group:outer'])
  await runJob(store, succeeded(1, 2), { groupId: 'g', hidden: true, lane: 'm1' })
  await runJob(store, succeeded(10, 20), { groupId: 'g', hidden: true, lane: 'm2' })
  await runJob(store, succeeded(11, 22), { lane: 'group', groupId: 'b', hidden: true })
  await runJob(store, succeeded(11, 22), { lane: 'group:outer' })
  t.strictSame((await ledger.report({ ...EVER, groupBy: [] })).sums, [
    { requests: 1, failures: 0, promptTokens: 11, completionTokens: 22 }
  ])
})

t.test('a process that is killed while it ends jobs leaves none uncounted', async t => {
  const dataDir = t.testdir({})
  const index = new URL('../src/index.js', import.meta.url).href
  const support = new URL('./support/submissions.js', import.meta.url).href
  const script = `
    const { openDatabase, openJobStore } = await import(${JSON.stringify(index)})
    const { submission } = await import(${JSON.stringify(support)})
    const store = await openJobStore(await openDatabase({ dataDir: ${JSON.stringify(dataDir)} }))
    const result = { status: 200, headers: {}, body: null }
    for (;;) {
      const { claim } = await store.submit(submission(), { owner: 'one', leaseMs: 60000 })
      await store.finish(claim, { state: 'succeeded', result, usage: { promptTokens: 1, completionTokens: 1 } })
      process.stdout.write('ended\\n')
    }`
  const path = join(dataDir, 'ending.mjs')
  await writeFile(path, script)
  const child = spawn(process.execPath, [path], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = 0
  const lines = createInterface({ input: child.stdout })
  lines.on('line', () => {
    said += 1
    if (said === 25) child.kill('SIGKILL')
  })
  await once(child, 'close')
  await using database = await openDatabase({ dataDir })
  const rows = await database.kysely
    .selectFrom('job')
    .leftJoin('job_usage', 'job_usage.job_id', 'job.id')
    .select(['job.state', 'job_usage.prompt_tokens'])
    .where('job.state', '=', 'succeeded')
    .execute()
  t.ok(said >= 25)
  t.ok(rows.length >= said, `${rows.length} ended, ${said} were acknowledged`)
  t.ok(rows.every(row => row.prompt_tokens === 1))
})
