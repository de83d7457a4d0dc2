import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type DatabaseInit,
  type JobClaim,
  type JobStore,
  type JobSubmission,
  openDatabase,
  openJobStore
} from '@resultity/store'
import { startPostgres } from '@resultity/test-postgres'
import { percentile } from './percentile.ts'

export interface StoreBenchInit {
  readonly seconds: number
  /** Requests under way at once. */
  readonly concurrency: number
  readonly log: (line: string) => void
}

export interface StoreResult {
  readonly name: 'sqlite' | 'sqlite-sync' | 'postgres'
  /** Jobs a second, begun as they are stored, then finished. */
  readonly jobs: number
  /** The same by way of the queue: stored, claimed by 32, finished. */
  readonly queuedJobs: number
  /** Events a second of 1000 jobs at once, each waited for before the next of its job. */
  readonly events: number
  /** Events a second, eight to a call. */
  readonly packedEvents: number
  /** Milliseconds until one event is stored, nothing else being under way. */
  readonly appendP50Ms: number
  readonly appendP99Ms: number
  /** Milliseconds until one of 50,000 waiting jobs of 500 keys is claimed. */
  readonly claimP50Ms: number
}

export interface StoreReport {
  readonly seconds: number
  readonly concurrency: number
  readonly results: readonly StoreResult[]
}

const owner = { owner: 'bench', leaseMs: 600_000 }
const BACKLOG_JOBS = 50_000
const BACKLOG_KEYS = 500
const CLAIMS_AT_ONCE = 32
const LATENCY_SAMPLES = 500
const EVENTS_PER_PACK = 8
const STREAMS = 1000

const body = { model: 'tiny-chat', stream: false, messages: [{ role: 'user', content: 'word '.repeat(80) }] }
const result = { status: 200, headers: { 'x-resultity-route': 'a[0,4)' }, body: { text: 'word '.repeat(100) } }
const usage = { promptTokens: 80, completionTokens: 100 }
const token = { type: 'chunk', data: { choices: [{ index: 0, delta: { content: ' word' } }] } }

/** Measures each store in a place of its own, one after the other. */
export async function benchStore(init: StoreBenchInit): Promise<StoreReport> {
  const directory = await mkdtemp(join(tmpdir(), 'resultity-bench-'))
  const server = await startPostgres({ durable: true })
  try {
    const contestants: readonly (readonly [StoreResult['name'], DatabaseInit])[] = [
      ['sqlite', { dataDir: join(directory, 'a') }],
      ['sqlite-sync', { dataDir: join(directory, 'b'), syncEveryCommit: true }],
      ['postgres', { postgresUrl: await server.createDatabase() }]
    ]
    const results: StoreResult[] = []
    for (const [name, database] of contestants) {
      init.log(`measuring ${name}`)
      results.push(await measure(name, database, init))
    }
    return { seconds: init.seconds, concurrency: init.concurrency, results }
  } finally {
    await server.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

async function measure(name: StoreResult['name'], at: DatabaseInit, init: StoreBenchInit): Promise<StoreResult> {
  await using database = await openDatabase(at)
  await using store = await openJobStore(database)
  const jobs = await perSecond(init, async () => {
    const claim = await begin(store)
    await store.finish(claim, { state: 'succeeded', result, usage })
    return 1
  })
  const queuedJobs = await perSecond({ ...init, concurrency: Math.ceil(init.concurrency / CLAIMS_AT_ONCE) }, () =>
    throughQueue(store)
  )
  const events = await streams(store, init, 1)
  const packedEvents = await streams(store, init, EVENTS_PER_PACK)
  const appends = await appendLatencies(store)
  const claims = await claimLatencies(store)
  return {
    name,
    jobs,
    queuedJobs,
    events,
    packedEvents,
    appendP50Ms: percentile(appends, 0.5),
    appendP99Ms: percentile(appends, 0.99),
    claimP50Ms: percentile(claims, 0.5)
  }
}

/** Has `concurrency` loops do `work` until the time is up. @returns what they did, by the second */
async function perSecond({ seconds, concurrency }: StoreBenchInit, work: () => Promise<number>): Promise<number> {
  const start = performance.now()
  const end = start + seconds * 1000
  let done = 0
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (performance.now() < end) {
        // two steps: `done += await …` would add to what it was before the wait
        const more = await work()
        done += more
      }
    })
  )
  return (done / (performance.now() - start)) * 1000
}

async function throughQueue(store: JobStore): Promise<number> {
  const lane = 'queue'
  await Promise.all(Array.from({ length: CLAIMS_AT_ONCE }, () => store.submit({ ...submission(), lane })))
  const wish = { lane, class: 'interactive', count: CLAIMS_AT_ONCE } as const
  const claimed = await store.claim(owner.owner, owner.leaseMs, [wish])
  await Promise.all(claimed.map(({ claim }) => store.finish(claim, { state: 'succeeded', result, usage })))
  return claimed.length
}

async function streams(store: JobStore, init: StoreBenchInit, pack: number): Promise<number> {
  const logs = await Promise.all(Array.from({ length: STREAMS }, async () => ({ claim: await begin(store), last: 2 })))
  const events = Array.from({ length: pack }, () => token)
  return perSecond({ ...init, concurrency: STREAMS }, async () => {
    const log = logs.pop()
    if (log === undefined) throw new Error('more loops than logs')
    log.last = await store.append(log.claim, log.last, events)
    logs.push(log)
    return pack
  })
}

async function appendLatencies(store: JobStore): Promise<number[]> {
  const claim = await begin(store)
  const latencies: number[] = []
  for (let last = 2; latencies.length < LATENCY_SAMPLES; ) {
    const start = performance.now()
    last = await store.append(claim, last, [token])
    latencies.push(performance.now() - start)
  }
  return latencies
}

async function claimLatencies(store: JobStore): Promise<number[]> {
  const lane = 'backlog'
  const chunk = 1000
  for (let stored = 0; stored < BACKLOG_JOBS; stored += chunk) {
    await store.submitAll(
      Array.from({ length: chunk }, (_, index) => ({
        ...submission(),
        lane,
        class: 'batch' as const,
        keyId: `key ${(stored + index) % BACKLOG_KEYS}`
      }))
    )
  }
  const latencies: number[] = []
  while (latencies.length < LATENCY_SAMPLES) {
    const start = performance.now()
    await store.claim(owner.owner, owner.leaseMs, [{ lane, class: 'batch', count: 1 }])
    latencies.push(performance.now() - start)
  }
  return latencies
}

async function begin(store: JobStore): Promise<JobClaim> {
  const { claim } = await store.submit(submission(), owner)
  if (claim === undefined) throw new Error('the job was not begun')
  return claim
}

function submission(): JobSubmission {
  return {
    id: `req_${randomUUID().replaceAll('-', '')}`,
    endpoint: '/v1/chat/completions',
    namespace: 'default',
    keyId: 'key_bench',
    class: 'interactive',
    lane: 'tiny-chat',
    body,
    waitMs: 3_600_000,
    attemptsMax: 3
  }
}
