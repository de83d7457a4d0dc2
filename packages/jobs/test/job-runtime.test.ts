import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MeshError, systemClock } from '@resultity/interface'
import type { Job, JobEvent, JobStore } from '@resultity/store'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { type JobAnswer, type JobContext, type JobKind, JobKinds, type PreparedJob } from '../src/job-kind.ts'
import { DEFAULT_JOB_LIMITS } from '../src/job-limits.ts'
import { JobRuntime } from '../src/job-runtime.ts'
import type { SubmitOptions } from '../src/job-submission.ts'
import { openTestStore } from './support/test-store.ts'

type Script = (context: JobContext) => Promise<void>

/** A runtime over a real store, whose one endpoint does what the test says. */
class Bench implements AsyncDisposable {
  readonly endpoint: JobKind
  places = 1
  script: Script = async () => {}
  runtime: JobRuntime
  readonly begun: string[] = []
  readonly #store: JobStore
  readonly #retryMs: number
  readonly #listeners = new Set<() => void>()
  #count = 0

  constructor(store: JobStore, retryMs: number) {
    this.#store = store
    this.#retryMs = retryMs
    this.endpoint = {
      path: '/v1/test',
      prepare: async request => this.#prepare(request),
      check: () => {},
      run: (_, context) => this.#run(context)
    }
    this.runtime = this.#newRuntime()
  }

  static async open(t: Test, { retryMs = 5 } = {}): Promise<Bench> {
    const directory = await mkdtemp(join(tmpdir(), 'resultity-jobs-'))
    const store = await openTestStore(directory)
    const bench = new Bench(store, retryMs)
    await bench.runtime.start()
    t.teardown(async () => {
      await bench[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
      await rm(directory, { recursive: true, force: true })
    })
    return bench
  }

  /** A coordinator stops and another one takes its place. */
  async restart(): Promise<void> {
    await this.runtime[Symbol.asyncDispose]()
    this.runtime = this.#newRuntime()
    await this.runtime.start()
  }

  setPlaces(places: number): void {
    this.places = places
    for (const listener of this.#listeners) listener()
  }

  async submit(options: Partial<SubmitOptions> = {}) {
    const id = options.id ?? `req_${String(++this.#count).padStart(32, '0')}`
    const base = { id, endpoint: '/v1/test', namespace: 'default', keyId: null, detached: true }
    return this.runtime.submit(this.#prepare({ id }), { ...base, ...options })
  }

  /** A job of a batch, as many are submitted at once. */
  job(id: string) {
    const base = { endpoint: '/v1/test', namespace: 'default', keyId: null, detached: true }
    return { prepared: this.#prepare({ id }), options: { ...base, id, class: 'batch' as const } }
  }

  async entries(id: string, after = 0): Promise<{ entries: JobEvent[]; job: Job }> {
    using following = this.runtime.follow(id)
    const iterator = following.entries(after)
    const entries: JobEvent[] = []
    for (;;) {
      const { value, done } = await iterator.next()
      if (done === true) return { entries, job: value }
      entries.push(value)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runtime[Symbol.asyncDispose]()
  }

  #prepare(request: unknown): PreparedJob {
    return {
      lane: 'lane',
      request: request as { id: string },
      streamed: false,
      outlivesClient: false,
      tokens: { prompt: 0, answerMax: 0 },
      data: undefined
    }
  }

  async #run(context: JobContext): Promise<JobAnswer> {
    this.begun.push(context.job.id)
    await this.script(context)
    return { result: { status: 200, headers: {}, body: { ok: true } }, usage: null }
  }

  #newRuntime(): JobRuntime {
    const onChange = (listener: () => void): (() => void) => {
      this.#listeners.add(listener)
      return () => this.#listeners.delete(listener)
    }
    return new JobRuntime(
      {
        store: this.#store,
        kinds: new JobKinds([this.endpoint]),
        places: { places: () => this.places, mayClaim: () => true, onChange },
        clock: systemClock,
        logger: pino({ level: 'silent' }),
        admission: { check: async () => {} }
      },
      { ...DEFAULT_JOB_LIMITS, queuedMax: 3, logDelayMs: 5, jobRetryMs: this.#retryMs }
    )
  }
}

/** Resolves when the signal aborts, with its reason as the error. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    if (signal.aborted) reject(signal.reason)
  })
}

t.test('a job is begun when there is a place, and its end is told to whoever waits', async t => {
  const bench = await Bench.open(t)
  bench.setPlaces(0)
  const { job } = await bench.submit()
  t.equal(job.state, 'queued')
  const ended = bench.runtime.untilEnd(job.id)
  bench.setPlaces(1)
  t.match(await ended, { state: 'succeeded', attempts: 1, result: { body: { ok: true } } })
  t.match(await bench.runtime.untilEnd(job.id), { state: 'succeeded' }, 'also when it had ended before')
  await t.rejects(bench.runtime.untilEnd('req_none'), { code: 'not_found' })
})

t.test('no more run than there are places, and no more wait than may', async t => {
  const bench = await Bench.open(t)
  bench.setPlaces(2)
  let running = 0
  let most = 0
  const gate = Promise.withResolvers<void>()
  bench.script = async () => {
    most = Math.max(most, ++running)
    await gate.promise
    running--
  }
  const jobs = [await bench.submit(), await bench.submit(), await bench.submit(), await bench.submit()]
  t.same(
    jobs.map(({ job }) => job.state),
    ['running', 'running', 'queued', 'queued']
  )
  await bench.submit()
  await t.rejects(bench.submit(), { code: 'resource_exhausted' }, 'three wait, and three may')
  t.match(await bench.submit({ admitted: true }), { created: true }, 'but for a part of what was taken before')
  gate.resolve()
  for (const { job } of jobs) t.equal((await bench.runtime.untilEnd(job.id)).state, 'succeeded')
  t.equal(most, 2)
})

t.test('a cancelled job ends, whether it runs or waits', async t => {
  const bench = await Bench.open(t)
  bench.script = ({ signal }) => untilAborted(signal)
  const running = (await bench.submit()).job
  const waiting = (await bench.submit()).job
  t.match(await bench.runtime.cancel(waiting.id), { state: 'cancelled' })
  await bench.runtime.cancel(running.id)
  t.equal((await bench.runtime.untilEnd(running.id)).state, 'cancelled')
  t.equal((await bench.runtime.untilEnd(waiting.id)).state, 'cancelled')
  t.same(bench.begun, [running.id], 'what was cancelled before is never begun')
})

t.test('an error that may pass is tried again where nobody waits, and told at once where somebody does', async t => {
  const bench = await Bench.open(t)
  let failures = 2
  bench.script = async () => {
    if (failures-- > 0) throw new MeshError('node_lost', 'a node died')
  }
  const detached = (await bench.submit()).job
  t.match(await bench.runtime.untilEnd(detached.id), { state: 'succeeded', attempts: 3 })
  failures = 1
  const attached = (await bench.submit({ detached: false })).job
  t.match(await bench.runtime.untilEnd(attached.id), { state: 'failed', attempts: 1, error: { code: 'node_lost' } })
})

/** A job that has failed waits by now: given back and begun at once, it would take two calls of the store. */
async function pausing(bench: Bench): Promise<void> {
  for (let call = 0; call < 20; call++) await bench.runtime.cancel('req_none')
}

t.test('a pause before another attempt keeps nobody who cancels or stops', async t => {
  const bench = await Bench.open(t, { retryMs: 3_600_000 })
  let failed = Promise.withResolvers<void>()
  bench.script = async ({ log }) => {
    await log.add('failing', null)
    failed.resolve()
    throw new MeshError('node_lost', 'a node died')
  }
  const one = (await bench.submit()).job
  await failed.promise
  await pausing(bench)
  t.same(bench.begun, [one.id])
  await bench.runtime.cancel(one.id)
  t.match(await bench.runtime.untilEnd(one.id), { state: 'cancelled', attempts: 1 })
  failed = Promise.withResolvers<void>()
  const other = (await bench.submit()).job
  await failed.promise
  bench.script = async () => {}
  await bench.restart()
  t.match(await bench.runtime.untilEnd(other.id), { state: 'succeeded', attempts: 2 })
})

t.test('a batch job that waits before another attempt makes room for who comes', async t => {
  const bench = await Bench.open(t, { retryMs: 3_600_000 })
  const failed = Promise.withResolvers<void>()
  bench.script = async ({ job }) => {
    if (job.class === 'interactive' || job.attempts > 1) return
    failed.resolve()
    throw new MeshError('node_lost', 'a node died')
  }
  const line = (await bench.submit({ class: 'batch' })).job
  await failed.promise
  await pausing(bench)
  const { job } = await bench.submit()
  t.match(await bench.runtime.untilEnd(job.id), { state: 'succeeded', attempts: 1 })
  t.match(await bench.runtime.untilEnd(line.id), { state: 'succeeded', attempts: 2, interruptions: 0 })
  t.same(bench.begun, [line.id, job.id, line.id])
})

t.test('every entry reaches a follower once and in order, from wherever it begins', async t => {
  for (const detached of [true, false]) {
    const bench = await Bench.open(t)
    bench.script = async ({ log }) => {
      for (let n = 0; n < 50; n++) {
        await log.add('n', n)
        if (n % 7 === 0) await new Promise(resolve => setImmediate(resolve))
      }
    }
    const { job } = await bench.submit({ detached })
    const all = await bench.entries(job.id)
    const numbers = all.entries.map(entry => entry.number)
    t.same(
      numbers,
      numbers.map((_, index) => index + 1),
      'no gap, no repeat'
    )
    t.equal(all.job.eventCount, numbers.length)
    if (detached) {
      const values = all.entries.filter(entry => entry.type === 'n').map(entry => entry.data)
      t.same(values, [...Array(50).keys()])
    }
    for (const after of [1, 2, 17, numbers.length - 1]) {
      const rest = await bench.entries(job.id, after)
      t.same(rest.entries, all.entries.slice(after), `after ${after}`)
    }
  }
})

t.test('a job that a stopping coordinator gives back goes on where its log ends', async t => {
  const bench = await Bench.open(t)
  const reached = Promise.withResolvers<void>()
  let stopAt = 10
  bench.script = async ({ log, signal }) => {
    await log.note('begun', { route: `attempt ${bench.begun.length}` })
    for (let n = 0; n < 20; n++) {
      if (n === stopAt) {
        reached.resolve()
        await untilAborted(signal)
      }
      await log.add('n', n)
    }
  }
  const { job } = await bench.submit()
  await reached.promise
  stopAt = -1
  await bench.restart()
  const { entries, job: ended } = await bench.entries(job.id)
  t.match(ended, { state: 'succeeded', attempts: 2, interruptions: 1 })
  t.same(
    entries.filter(entry => entry.type === 'n').map(entry => entry.data),
    [...Array(20).keys()]
  )
  t.same(
    entries.filter(entry => entry.type === 'begun').map(entry => entry.data),
    [{ route: 'attempt 1' }],
    'what may differ is not said twice'
  )
})

t.test('a job that is refused a part of it by a stopping coordinator goes back to the queue', async t => {
  const bench = await Bench.open(t)
  const go = Promise.withResolvers<void>()
  bench.script = async () => {
    if (bench.begun.length > 1) return
    await go.promise
    await bench.submit()
  }
  const { job } = await bench.submit()
  await bench.submit()
  await new Promise(resolve => setImmediate(resolve))
  // it stops while the second is being claimed
  bench.setPlaces(2)
  const restarted = bench.restart()
  go.resolve()
  await restarted
  t.match(await bench.runtime.untilEnd(job.id), { state: 'succeeded', attempts: 2, interruptions: 1 })
})

t.test('an answer that comes out otherwise is not continued', async t => {
  const bench = await Bench.open(t)
  const reached = Promise.withResolvers<void>()
  bench.script = async ({ log, signal }) => {
    await log.add('n', bench.begun.length)
    reached.resolve()
    if (bench.begun.length === 1) await untilAborted(signal)
  }
  const { job } = await bench.submit()
  await reached.promise
  await bench.restart()
  const { job: ended } = await bench.entries(job.id)
  t.match(ended, { state: 'failed', error: { code: 'replay_diverged' } })
})

t.test('the same idempotency key and body is the same job', async t => {
  const bench = await Bench.open(t)
  const idempotency = { key: 'k', bodySha256: 'a'.repeat(64) }
  const first = await bench.submit({ idempotency })
  const again = await bench.submit({ idempotency })
  t.match(again, { created: false, job: { id: first.job.id } })
  await bench.runtime.untilEnd(first.job.id)
  await t.rejects(bench.submit({ idempotency: { key: 'k', bodySha256: 'b'.repeat(64) } }), {
    code: 'idempotency_conflict'
  })
  t.match(await bench.submit({ idempotency, namespace: 'other' }), { created: true }, 'a key is of one namespace')
  t.equal(bench.begun.length, 2)
})

t.test('batch work leaves a place to who waits', async t => {
  const bench = await Bench.open(t)
  bench.setPlaces(2)
  const gate = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  bench.script = async ({ job }) => {
    if (job.class === 'interactive') begun.resolve()
    await gate.promise
  }
  const batch = await Promise.all([bench.submit({ class: 'batch' }), bench.submit({ class: 'batch' })])
  const { job } = await bench.submit()
  await begun.promise
  t.equal(bench.begun.length, 2, 'the second of the batch waits')
  t.ok(bench.begun.includes(job.id))
  gate.resolve()
  const ended = await Promise.all([job, ...batch.map(one => one.job)].map(({ id }) => bench.runtime.untilEnd(id)))
  t.ok(ended.every(({ state }) => state === 'succeeded'))
})

t.test(
  'with thousands of a batch waiting, who comes is begun, and a batch job that made room is done later',
  async t => {
    const bench = await Bench.open(t)
    bench.setPlaces(4)
    const finish = Promise.withResolvers<void>()
    const interactive: string[] = []
    const all = Promise.withResolvers<void>()
    bench.script = async ({ job, signal }) => {
      if (job.class === 'interactive' && interactive.push(job.id) === 4) all.resolve()
      await Promise.race([finish.promise, untilAborted(signal)])
    }
    const lines = Array.from({ length: 2000 }, (_, index) => bench.job(`req_${String(index).padStart(32, 'b')}`))
    await bench.runtime.submitAll(lines)
    while (bench.begun.length < 3) await new Promise(resolve => setImmediate(resolve))
    const first = bench.begun.slice()
    const jobs = [await bench.submit(), await bench.submit(), await bench.submit(), await bench.submit()]
    await all.promise
    t.same(
      interactive.toSorted(),
      jobs.map(({ job }) => job.id),
      'all four places are theirs'
    )
    const batch = bench.begun.filter(id => !interactive.includes(id))
    t.same(batch, first, 'no job of the batch is begun meanwhile')
    finish.resolve()
    for (const { job } of jobs) t.equal((await bench.runtime.untilEnd(job.id)).state, 'succeeded')
    for (const id of first)
      t.match(await bench.runtime.untilEnd(id), { state: 'succeeded', attempts: 2, interruptions: 1 })
  }
)
