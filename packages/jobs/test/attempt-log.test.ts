import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MeshError } from '@resultity/interface'
import type { JobClaim, JobEvent, JobStore } from '@resultity/store'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { AttemptLog, type AttemptLogInit } from '../src/attempt-log.ts'
import { openTestStore } from './support/test-store.ts'

const NEVER_MS = 600_000
const PAGE = 10_000

/** A real store with one running job, and the attempts at it. */
class Bench {
  readonly store: JobStore
  readonly published: JobEvent[] = []
  readonly errors: MeshError[] = []
  followed = true
  #claim: JobClaim

  private constructor(store: JobStore, claim: JobClaim) {
    this.store = store
    this.#claim = claim
  }

  static async open(t: Test): Promise<Bench> {
    const directory = await mkdtemp(join(tmpdir(), 'resultity-log-'))
    const store = await openTestStore(directory)
    t.teardown(async () => {
      await store[Symbol.asyncDispose]()
      await rm(directory, { recursive: true, force: true })
    })
    return new Bench(store, await begun(store, 1))
  }

  get claim(): JobClaim {
    return this.#claim
  }

  /** Another job, with a log of its own. */
  async next(number: number): Promise<void> {
    this.#claim = await begun(this.store, number)
    this.published.length = 0
  }

  /** The job goes back to its queue and is begun again. */
  async interrupt(): Promise<void> {
    await this.store.finish(this.#claim, { state: 'queued', interrupted: true })
    const [claimed] = await this.store.claim('again', NEVER_MS, [{ lane: LANE, class: 'interactive', count: 1 }])
    if (claimed === undefined) throw new Error('it was not begun again')
    this.#claim = claimed.claim
  }

  async attempt(init: Partial<AttemptLogInit> = {}): Promise<AttemptLog> {
    const stored = await this.stored()
    return new AttemptLog(
      {
        store: this.store,
        publish: events => void this.published.push(...events),
        isFollowed: () => this.followed,
        onError: error => void this.errors.push(error)
      },
      {
        claim: this.#claim,
        wanted: true,
        logged: stored.filter(isOwn),
        last: stored.at(-1)?.number ?? 0,
        durable: true,
        delayMs: NEVER_MS,
        pendingMax: 1000,
        ...init
      }
    )
  }

  async stored(): Promise<readonly JobEvent[]> {
    return await this.store.events(this.#claim.jobId, 0, PAGE)
  }

  /** What attempts said, in order. */
  async said(): Promise<unknown[]> {
    return (await this.stored()).filter(isOwn).map(({ data }) => data)
  }
}

const LANE = 'model:x'

/** What the store did not write itself. */
function isOwn({ type }: JobEvent): boolean {
  return type !== 'queued' && type !== 'started'
}

async function begun(store: JobStore, number: number): Promise<JobClaim> {
  const submission = {
    id: `req_${String(number).padStart(32, '0')}`,
    endpoint: '/v1/x',
    namespace: 'default',
    keyId: null,
    class: 'interactive',
    lane: LANE,
    body: {},
    waitMs: NEVER_MS,
    attemptsMax: 1
  } as const
  const { claim } = await store.submit(submission, { owner: 'one', leaseMs: NEVER_MS })
  if (claim === undefined) throw new Error('it was not begun')
  return claim
}

t.test('entries are numbered without a gap behind what the store wrote itself', async t => {
  const bench = await Bench.open(t)
  const log = await bench.attempt()
  for (const n of [1, 2, 3]) await log.add('n', n)
  await log.flush()
  const stored = await bench.stored()
  t.strictSame(
    stored.map(({ number }) => number),
    stored.map((_, index) => index + 1)
  )
  t.strictSame(await bench.said(), [1, 2, 3])
})

t.test('what is durable is shown once it is stored, and what is not is shown at once', async t => {
  const bench = await Bench.open(t)
  const durable = await bench.attempt()
  void durable.add('n', 1)
  t.strictSame(bench.published, [], 'nobody sees what could still be lost')
  t.strictSame(durable.unstored, [])
  await durable.flush()
  t.strictSame(
    bench.published.map(({ data }) => data),
    [1]
  )
  await bench.next(2)
  const attached = await bench.attempt({ durable: false })
  void attached.add('n', 1)
  t.strictSame(
    bench.published.map(({ data }) => data),
    [1]
  )
  t.strictSame(
    attached.unstored.map(({ data }) => data),
    [1],
    'a follower that comes now finds it here'
  )
  t.strictSame(await bench.said(), [])
  await attached.flush()
  t.strictSame(await bench.said(), [1])
})

t.test('what nobody follows is kept back, and shown to who comes', async t => {
  const bench = await Bench.open(t)
  bench.followed = false
  const log = await bench.attempt()
  for (const n of [1, 2]) void log.add('n', n)
  t.strictSame(await bench.said(), [])
  log.show()
  await log.flush()
  t.strictSame(await bench.said(), [1, 2])
})

t.test('a writer that is far ahead of the store waits for it', async t => {
  const bench = await Bench.open(t)
  bench.followed = false
  const log = await bench.attempt({ pendingMax: 3 })
  t.equal(log.add('n', 1), undefined)
  t.equal(log.add('n', 2), undefined)
  const behind = log.add('n', 3)
  t.ok(behind instanceof Promise)
  await behind
  t.strictSame(await bench.said(), [1, 2, 3])
})

t.test('an answer that nobody reads is not logged', async t => {
  const bench = await Bench.open(t)
  const log = await bench.attempt({ wanted: false })
  t.equal(log.add('n', 1), undefined)
  await log.flush()
  t.strictSame(await bench.said(), [])
})

t.test('an attempt whose job another has now can log nothing more, and is told', async t => {
  const bench = await Bench.open(t)
  const log = await bench.attempt()
  await bench.interrupt()
  void log.add('n', 1)
  await t.rejects(log.flush(), { code: 'job_lease_lost' })
  t.match(bench.errors, [{ code: 'job_lease_lost' }])
  t.throws(() => log.add('n', 2), { code: 'job_lease_lost' })
  t.strictSame(await bench.said(), [])
  t.strictSame(bench.published, [])
})

t.test('a further attempt that says something else is stopped at that entry; a note may differ', async t => {
  const bench = await Bench.open(t)
  const first = await bench.attempt()
  await first.note('route', 'over a')
  await first.add('n', { index: 0, text: 'Paris', none: undefined } as object as never)
  await first.flush()
  await bench.interrupt()
  const second = await bench.attempt()
  await second.note('route', 'over b')
  t.throws(() => second.add('n', { index: 0, text: 'Lyon' }), { code: 'replay_diverged' })
  const third = await bench.attempt()
  await third.note('route', 'over c')
  await third.add('n', { index: 0, text: 'Paris' })
  await third.add('n', { index: 0, text: '.' })
  await third.flush()
  t.strictSame(await bench.said(), ['over a', { index: 0, text: 'Paris' }, { index: 0, text: '.' }])
})

t.test(
  'however often a job is interrupted, and however its choices take turns, the log has each entry once',
  async t => {
    const bench = await Bench.open(t)
    let jobs = 1
    await assertProperty(
      fc.asyncProperty(
        fc.array(fc.nat(2), { maxLength: 30 }),
        fc.array(fc.tuple(fc.nat(30), fc.boolean(), fc.boolean(), fc.integer()), { maxLength: 4 }),
        async (choices, interruptions) => {
          await bench.next(++jobs)
          const work = async (log: AttemptLog, until: number, order: number): Promise<void> => {
            const left = [0, 1, 2].map(index =>
              choices.filter(choice => choice === index).map((_, at) => ({ index, at }))
            )
            for (let done = 0; done < Math.min(until, choices.length); done++) {
              // choices are made beside each other: who is next differs from attempt to attempt
              const open = left.filter(series => series.length > 0)
              const entry = open[Math.abs(order + done * (order | 1)) % open.length]?.shift()
              if (entry !== undefined) await log.add('choice', entry)
            }
          }
          for (const [until, durable, flushed, order] of interruptions) {
            bench.followed = flushed
            const log = await bench.attempt({ durable })
            await work(log, until, order)
            if (flushed) await log.flush()
            log.stop()
            await bench.interrupt()
          }
          const last = await bench.attempt()
          await work(last, choices.length, 0)
          await last.flush()
          const said = (await bench.stored()).filter(isOwn).map(({ data }) => data as { index: number; at: number })
          const complete = said.length === choices.length
          return (
            complete && [0, 1, 2].every(index => said.filter(one => one.index === index).every(({ at }, i) => at === i))
          )
        }
      ),
      { numRuns: 40 }
    )
    t.strictSame(bench.errors, [])
  }
)

t.test('an attempt that begins behind some steps finds its own again, and adds those that are not there', async t => {
  const bench = await Bench.open(t)
  const first = await bench.attempt()
  for (const step of [1, 2, 3]) await first.note('step', { index: 0, step })
  await first.flush()
  await bench.interrupt()
  const second = await bench.attempt()
  for (const step of [3, 4]) await second.note('step', { index: 0, step })
  await second.flush()
  t.strictSame(
    await bench.said(),
    [1, 2, 3, 4].map(step => ({ index: 0, step }))
  )
})
