import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type PostgresServer, startPostgres } from '@resultity/test-postgres'
import { testSeed } from '@resultity/test-property'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { type DatabaseInit, type Job, type JobStore, openDatabase, openJobStore } from '../src/index.ts'
import { type Acknowledged, TOKENS_PER_JOB } from './support/crash-child.ts'

const ROUNDS = 8
/** How many lines a child says in each round before it is killed. */
const LINES = fc.sample(fc.integer({ min: 1, max: 400 }), { seed: testSeed(), numRuns: ROUNDS })
const child = fileURLToPath(new URL('./support/crash-child.js', import.meta.url))

/** Has a process work, and kills it once the store has acknowledged `enough`: in the midst of whatever it does then. */
async function workAndDie(init: DatabaseInit, enough: number): Promise<Acknowledged[]> {
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

/** What is wrong with the log of a job of which at least `least` tokens were acknowledged; nothing, that is. */
async function faultsOfLog(store: JobStore, job: Job, least: number): Promise<string[]> {
  const events = await store.events(job.id, 0, 1000)
  const tokens = events.flatMap(({ type, data }) => (type === 'token' ? [data] : []))
  const starts = events.filter(({ type }) => type === 'started').length
  const isWhole = job.state !== 'succeeded' || (tokens.length >= TOKENS_PER_JOB && events.at(-1)?.type === 'succeeded')
  return [
    ...(events.every(({ number }, index) => number === index + 1) ? [] : ['an entry is missing or doubled']),
    ...(job.eventCount === events.length ? [] : [`it counts ${job.eventCount} entries and has ${events.length}`]),
    ...(tokens.every((token, index) => token === index) ? [] : ['a token is missing or doubled']),
    ...(starts === (job.attempts > 0 ? 1 : 0) ? [] : [`it started ${starts} times, in ${job.attempts} attempts`]),
    ...(isWhole ? [] : ['it succeeded and is not whole']),
    ...(tokens.length >= least ? [] : [`${least} tokens were acknowledged, and ${tokens.length} are there`])
  ].map(fault => `job ${job.id}: ${fault}`)
}

async function faultsOfAcknowledged(store: JobStore, said: Acknowledged): Promise<string[]> {
  const job = await store.get(said.id)
  if (job === undefined) return [`job ${said.id} is missing`]
  if (said.type === 'finished' && (job.state !== 'succeeded' || job.result?.status !== 200))
    return [`job ${said.id} had ended, and is ${job.state}`]
  if (said.type === 'appended' && job.eventCount < said.last) return [`job ${said.id}: entry ${said.last} is missing`]
  return []
}

/** How much was acknowledged depends on the moment of each kill: so one assertion holds for all of it. */
async function check(t: Test, store: JobStore, acknowledged: readonly Acknowledged[]): Promise<void> {
  const faults: string[] = []
  for (const said of acknowledged) faults.push(...(await faultsOfAcknowledged(store, said)))
  t.strictSame(faults, [], 'what was acknowledged is there')
  const least = new Map(acknowledged.flatMap(one => (one.type === 'appended' ? [[one.id, one.tokens]] : [])))
  const ofLogs: string[] = []
  let seen = 0
  let after: string | undefined
  for (let hasMore = true; hasMore; ) {
    const page = await store.list({ limit: 1000, order: 'asc', ...(after === undefined ? {} : { after }) })
    for (const job of page.jobs) ofLogs.push(...(await faultsOfLog(store, job, least.get(job.id) ?? 0)))
    seen += page.jobs.length
    after = page.jobs.at(-1)?.id
    hasMore = page.hasMore
  }
  t.strictSame(ofLogs, [], 'every log is whole')
  t.ok(seen >= new Set(acknowledged.map(({ id }) => id)).size, `${seen} jobs were looked at`)
}

async function crash(t: Test, init: DatabaseInit, afterDeath: () => Promise<void>): Promise<void> {
  const acknowledged: Acknowledged[] = []
  for (const lines of LINES) {
    acknowledged.push(...(await workAndDie(init, lines)))
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
