import type { JobClaim, JobEvent, JobStore, JsonValue, NewJobEvent } from '@resultity/store'
import { openDatabase, openJobStore } from '@resultity/store'
import { startPostgres } from '@resultity/test-postgres'
import t, { type Test } from 'tap'
import { AttemptLog, type AttemptLogInit } from '../src/attempt-log.ts'

const NEVER_MS = 600_000
const LANE = 'model:x'
const ID = `req_${'1'.repeat(32)}`

/** What one call wrote. */
type Written = readonly NewJobEvent[]

/** A real store with one running job, and the attempts at it. */
class Bench {
  readonly store: JobStore
  readonly written: Written[] = []
  readonly published: JobEvent[] = []
  followed = false
  #claim: JobClaim

  private constructor(store: JobStore, claim: JobClaim) {
    this.store = store
    this.#claim = claim
  }

  static async open(t: Test, where: Parameters<typeof openDatabase>[0]): Promise<Bench> {
    const database = await openDatabase(where)
    const store = await openJobStore(database)
    t.teardown(async () => {
      await store[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    })
    const job = { id: ID, endpoint: '/v1/x', namespace: 'default', keyId: null, class: 'interactive' } as const
    const submission = { ...job, lane: LANE, body: {}, waitMs: NEVER_MS, attemptsMax: 1 }
    const { claim } = await store.submit(submission, { owner: 'one', leaseMs: NEVER_MS })
    if (claim === undefined) throw new Error('it was not begun')
    return new Bench(store, claim)
  }

  /** The job goes back to its queue and is begun again. */
  async interrupt(): Promise<void> {
    await this.store.finish(this.#claim, { state: 'queued', interrupted: true })
    const [claimed] = await this.store.claim('again', NEVER_MS, [{ lane: LANE, class: 'interactive', count: 1 }])
    if (claimed === undefined) throw new Error('it was not begun again')
    this.#claim = claimed.claim
  }

  async end(): Promise<void> {
    await this.store.finish(this.#claim, { state: 'cancelled' })
  }

  async attempt(init: Partial<AttemptLogInit> = {}): Promise<AttemptLog> {
    const stored = await this.log()
    const append: JobStore['append'] = async (claim, after, events) => {
      this.written.push(events)
      return await this.store.append(claim, after, events)
    }
    return new AttemptLog(
      {
        store: new Proxy(this.store, { get: (store, name) => (name === 'append' ? append : Reflect.get(store, name)) }),
        publish: events => void this.published.push(...events),
        isFollowed: () => this.followed,
        onError: () => {}
      },
      {
        claim: this.#claim,
        wanted: true,
        logged: stored.filter(({ type }) => type !== 'queued' && type !== 'started'),
        last: stored.at(-1)?.number ?? 0,
        durable: true,
        delayMs: NEVER_MS,
        pendingMax: 1000,
        ...init
      }
    )
  }

  async log(): Promise<readonly JobEvent[]> {
    return await this.store.events(ID, 0, 1000)
  }
}

/** A choice in the making. */
function choice(log: AttemptLog, index: number): (token: number) => void {
  let tokens: number[] = []
  let at = 0
  const changed = log.progress?.keep((): JsonValue | undefined => {
    if (tokens.length === 0) return undefined
    const entry = { index, at, tokens }
    at += tokens.length
    tokens = []
    return entry
  })
  return token => {
    tokens.push(token)
    changed?.()
  }
}

function promises(t: Test, where: (t: Test) => Promise<Parameters<typeof openDatabase>[0]>): void {
  t.test('progress is stored with what is written anyway, ahead of it', async t => {
    const bench = await Bench.open(t, await where(t))
    bench.followed = true
    const log = await bench.attempt()
    const [first, second] = [choice(log, 0), choice(log, 1)]
    first(7)
    t.strictSame(bench.written, [], 'alone it waits')
    void log.add('choice', { index: 0, text: 'a' })
    for (const token of [8, 9]) second(token)
    await log.flush()
    const progress = (data: JsonValue) => ({ type: 'progress', data })
    t.strictSame(bench.written, [
      [progress({ index: 0, at: 0, tokens: [7] }), { type: 'choice', data: { index: 0, text: 'a' } }],
      [progress({ index: 1, at: 0, tokens: [8, 9] })]
    ])
    t.strictSame(
      bench.published.map(({ number }) => number),
      [3, 4, 5],
      'a reader is told every number'
    )
    t.strictSame(bench.published, (await bench.log()).slice(2))
  })

  t.test('an answer that nobody reads leaves it all the same, unless it is whole', async t => {
    const bench = await Bench.open(t, await where(t))
    const log = await bench.attempt({ wanted: false })
    const take = choice(log, 0)
    take(1)
    await log.flush()
    t.match(await bench.log(), [{}, {}, { type: 'progress', data: { tokens: [1] } }])
    take(2)
    void log.add('choice', 'not wanted')
    await log.end()
    take(3)
    await log.flush()
    t.equal(bench.written.length, 1, 'no attempt comes after it')
  })

  t.test('what is written at the end goes with it', async t => {
    const bench = await Bench.open(t, await where(t))
    const log = await bench.attempt()
    choice(log, 0)(5)
    void log.add('choice', 'a')
    await log.end()
    t.match(bench.written, [[{ type: 'progress' }, { type: 'choice' }]])
  })

  t.test('a further attempt has it, and need not repeat it; what readers saw it has to', async t => {
    const bench = await Bench.open(t, await where(t))
    const log = await bench.attempt()
    const take = choice(log, 0)
    take(1)
    void log.add('choice', 'a')
    await log.flush()
    take(2)
    await log.flush()
    await bench.interrupt()
    const second = await bench.attempt()
    const left = [1, 2].map((token, at) => ({ index: 0, at, tokens: [token] }))
    t.strictSame(second.progress?.earlier, left)
    t.throws(() => second.add('choice', 'b'), { code: 'replay_diverged' })
    const third = await bench.attempt()
    await third.add('choice', 'a')
    await third.add('choice', 'b')
    choice(third, 0)(3)
    await third.flush()
    const types = (await bench.log()).map(({ number, type }) => `${number} ${type}`)
    t.strictSame(types.slice(2), ['3 progress', '4 choice', '5 progress', '6 progress', '7 choice'])
  })

  t.test('another attempt at the same time can leave nothing, and with its job all of it is gone', async t => {
    const bench = await Bench.open(t, await where(t))
    const log = await bench.attempt()
    choice(log, 0)(1)
    await log.flush()
    await bench.interrupt()
    choice(log, 1)(2)
    await t.rejects(log.flush(), { code: 'job_lease_lost' })
    const late = await bench.attempt()
    t.strictSame(late.progress?.earlier, [{ index: 0, at: 0, tokens: [1] }])
    await bench.end()
    await bench.store.remove(ID)
    t.strictSame(await bench.log(), [])
  })
}

t.test('on SQLite', async t => {
  promises(t, async t => ({ dataDir: t.testdir() }))
})

t.test('on PostgreSQL', async t => {
  const server = await startPostgres()
  t.teardown(() => server.stop())
  promises(t, async () => ({ postgresUrl: await server.createDatabase() }))
})

t.test('an answer that ends with its client leaves nothing', async t => {
  const bench = await Bench.open(t, { dataDir: t.testdir() })
  const log = await bench.attempt({ durable: false })
  t.equal(log.progress, undefined)
  void log.add('choice', 'a')
  await log.end()
  t.match(bench.written, [[{ type: 'choice' }]])
})
