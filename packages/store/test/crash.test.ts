import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type PostgresServer, startPostgres } from '@resultity/test-postgres'
import t, { type Test } from 'tap'
import { type DatabaseInit, type Job, type JobStore, openDatabase, openJobStore } from '../src/index.ts'
import { type Acknowledged, TOKENS_PER_JOB } from './support/crash-child.ts'

const ROUNDS = 8
const child = fileURLToPath(new URL('./support/crash-child.js', import.meta.url))

/** Has a process work, and kills it at a random moment once the store has acknowledged some. */
async function workAndDie(init: DatabaseInit): Promise<Acknowledged[]> {
  const enough = 1 + Math.floor(Math.random() * 400)
  const process_ = spawn(process.execPath, [child, JSON.stringify(init)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(process_, 'exit')
  const acknowledged: Acknowledged[] = []
  // a last line may be cut off: that was not acknowledged to anybody
  for await (const line of createInterface({ input: process_.stdout })) {
    if (!line.endsWith('}')) continue
    acknowledged.push(JSON.parse(line))
    if (acknowledged.length === enough) process_.kill('SIGKILL')
  }
  const [, signal] = await exited
  if (signal !== 'SIGKILL') throw new Error(`the child ended by itself: ${signal}`)
  return acknowledged
}

async function checkLog(t: Test, store: JobStore, job: Job): Promise<number> {
  const events = await store.events(job.id, 0, 1000)
  const numbers = events.map(({ number }) => number)
  t.strictSame(
    numbers,
    Array.from(numbers, (_, index) => index + 1),
    'no number missing or doubled'
  )
  t.equal(job.eventCount, events.length)
  const tokens = events.flatMap(({ type, data }) => (type === 'token' ? [data] : []))
  t.strictSame(
    tokens,
    Array.from(tokens, (_, index) => index),
    'no token missing or doubled'
  )
  t.equal(events.filter(({ type }) => type === 'started').length, job.attempts > 0 ? 1 : 0)
  if (job.state === 'succeeded') t.ok(tokens.length >= TOKENS_PER_JOB && events.at(-1)?.type === 'succeeded')
  return tokens.length
}

async function check(t: Test, store: JobStore, acknowledged: readonly Acknowledged[]): Promise<void> {
  for (const said of acknowledged) {
    const job = await store.get(said.id)
    if (job === undefined) {
      t.fail(`job ${said.id} is missing`)
      continue
    }
    if (said.type === 'finished') t.match(job, { state: 'succeeded', result: { status: 200 } })
    if (said.type === 'appended') t.ok(job.eventCount >= said.last, 'no entry is missing')
  }
  const least = new Map(acknowledged.flatMap(one => (one.type === 'appended' ? [[one.id, one.tokens]] : [])))
  let after: string | undefined
  for (let hasMore = true; hasMore; ) {
    const page = await store.list({ limit: 1000, order: 'asc', ...(after === undefined ? {} : { after }) })
    for (const job of page.jobs) t.ok((await checkLog(t, store, job)) >= (least.get(job.id) ?? 0))
    after = page.jobs.at(-1)?.id
    hasMore = page.hasMore
  }
}

async function crash(t: Test, init: DatabaseInit, afterDeath: () => Promise<void>): Promise<void> {
  const acknowledged: Acknowledged[] = []
  for (let round = 0; round < ROUNDS; round++) {
    acknowledged.push(...(await workAndDie(init)))
    await afterDeath()
  }
  await using database = await openDatabase(init)
  await using store = await openJobStore(database, { interruptionsMax: 100 })
  await store.sweep()
  await check(t, store, acknowledged)
  const counts = await store.counts()
  t.strictSame(
    counts.filter(({ state }) => state === 'running'),
    [],
    'what was running waits again'
  )
}

t.test('SQLite: nothing that was acknowledged is lost when the process is killed', async t => {
  await crash(t, { dataDir: t.testdir() }, async () => undefined)
})

t.test('PostgreSQL: nothing that was acknowledged is lost when the process is killed', async t => {
  const server: PostgresServer = await startPostgres()
  t.teardown(() => server.stop())
  const init = { postgresUrl: await server.createDatabase() }
  await crash(t, init, async () => {
    // as if the time of the leases had passed
    await using database = await openDatabase(init)
    await database.kysely.updateTable('job').set({ lease_until_ms: 0 }).where('state', '=', 'running').execute()
  })
})
