import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MeshError } from '@resultity/interface'
import type { JobClaim, JobStore, JobSubmission } from '@resultity/store'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { Attempt, type AttemptComponents, type AttemptInit } from '../src/attempt.ts'
import { type JobContext, type JobKind, JobKinds } from '../src/job-kind.ts'
import { openTestStore } from './support/test-store.ts'

const PATH = '/v1/x'
const LEASE_MS = 600_000
const ANSWER = { result: { status: 200, headers: {}, body: 'done' }, usage: null }

/** What the kind of the job was asked for. */
interface Asked {
  readonly prepared: unknown[]
  readonly run: unknown[]
}

interface Begun {
  readonly store: JobStore
  readonly asked: Asked
  /** Begins an attempt at the job. */
  attempt(change?: { components?: Partial<AttemptComponents>; init?: Partial<AttemptInit> }): Attempt
}

/** A job that was begun, over a real store. Its kind does what `script` says. */
async function begin(
  t: Test,
  script: (context: JobContext) => Promise<void>,
  submission: Partial<JobSubmission> = {},
  { watchesKey = false } = {}
): Promise<Begun> {
  const directory = await mkdtemp(join(tmpdir(), 'resultity-attempt-'))
  const store = await openTestStore(directory)
  t.teardown(async () => {
    await store[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })
  const asked: Asked = { prepared: [], run: [] }
  const kind: JobKind = {
    path: PATH,
    watchesKey,
    prepare: async body => {
      asked.prepared.push(body)
      const tokens = { prompt: 0, answerMax: 0 }
      return { lane: 'x', request: 'again', streamed: false, outlivesClient: true, tokens, data: 'prepared again' }
    },
    check: () => {},
    run: async (data, context) => {
      asked.run.push(data)
      await script(context)
      return ANSWER
    }
  }
  const { job, claim } = await store.submit(
    {
      id: `req_${'1'.repeat(32)}`,
      endpoint: PATH,
      namespace: 'default',
      keyId: null,
      class: 'interactive',
      lane: 'x',
      body: { request: 'the request', streamed: false, detached: true },
      waitMs: LEASE_MS,
      attemptsMax: 3,
      ...submission
    },
    { owner: 'one', leaseMs: LEASE_MS }
  )
  if (claim === undefined) throw new Error('the job was not begun')
  const attempt: Begun['attempt'] = ({ components, init } = {}) =>
    new Attempt(
      {
        store,
        kinds: new JobKinds([kind]),
        logger: pino({ level: 'silent' }),
        admission: { check: async () => {} },
        publish: () => {},
        isFollowed: () => false,
        onUnstorable: () => {},
        ...components
      },
      {
        job,
        claim,
        prepared: undefined,
        retryMs: 1,
        nodeLossesMax: 3,
        logDelayMs: 1,
        logPendingMax: 100,
        ...init
      }
    )
  return { store, asked, attempt }
}

/** The store, with another end for some of its calls. */
function failing(store: JobStore, finish: JobStore['finish']): JobStore {
  return new Proxy(store, {
    get: (target, name) => {
      const value = name === 'finish' ? finish : Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
}

function untilAborted({ signal }: JobContext): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason))
  })
}

t.test('what was prepared at its submission is not prepared again; after a restart it is', async t => {
  const tokens = { prompt: 0, answerMax: 0 }
  const prepared = { lane: 'x', request: 'r', streamed: false, outlivesClient: true, tokens, data: 'at hand' }
  const here = await begin(t, async () => {})
  t.match(await here.attempt({ init: { prepared } }).ended, { state: 'succeeded', result: ANSWER.result })
  t.strictSame(here.asked, { prepared: [], run: ['at hand'] })
  const later = await begin(t, async () => {})
  t.match(await later.attempt().ended, { state: 'succeeded' })
  t.strictSame(later.asked, { prepared: ['the request'], run: ['prepared again'] })
})

t.test(
  'a key that may not have it done any more ends it before it is run, where the kind leaves that to others',
  async t => {
    const check = async (): Promise<void> => {
      throw new MeshError('unauthenticated', 'the key was revoked', { details: { reason: 'invalid_api_key' } })
    }
    const plain = await begin(t, async () => {})
    t.match(await plain.attempt({ components: { admission: { check } } }).ended, {
      state: 'failed',
      error: { code: 'invalid_api_key', message: 'the key was revoked' }
    })
    t.strictSame(plain.asked.run, [])
    const watching = await begin(t, async () => {}, {}, { watchesKey: true })
    t.match(await watching.attempt({ components: { admission: { check } } }).ended, { state: 'succeeded' })
  }
)

t.test('a job whose end was asked for before is not run', async t => {
  const { store, asked, attempt } = await begin(t, async () => {})
  const job = await store.cancel(`req_${'1'.repeat(32)}`)
  if (job === undefined) throw new Error('there is no job')
  t.match(await attempt({ init: { job } }).ended, { state: 'cancelled' })
  t.strictSame(asked.run, [])
})

t.test('the first reason to break it off counts', async t => {
  for (const [cause, state] of [
    ['cancelled', 'cancelled'],
    ['stopping', 'queued'],
    ['yielded', 'queued']
  ] as const) {
    const running = Promise.withResolvers<void>()
    const { attempt } = await begin(t, async context => {
      running.resolve()
      await untilAborted(context)
    })
    const one = attempt()
    await running.promise
    one.abort(cause)
    one.abort('lease_lost')
    t.match(await one.ended, { state, attempts: 1 }, cause)
  }
})

t.test('an error that may pass puts it back into the queue until its attempts are used up', async t => {
  const lost = async (): Promise<never> => {
    throw new MeshError('node_lost', 'a node died')
  }
  const { attempt } = await begin(t, lost)
  t.match(await attempt().ended, { state: 'queued', attempts: 1 })
  const last = await begin(t, lost, { attemptsMax: 1 })
  t.match(await last.attempt().ended, { state: 'failed', error: { code: 'node_lost' } })
  const attached = await begin(t, lost, { body: { request: 'r', streamed: false, detached: false } })
  t.match(await attached.attempt().ended, { state: 'failed', error: { code: 'node_lost' } }, 'who waits is told')
})

t.test('what an unknown version of this software stored fails its job and nothing else', async t => {
  const { attempt } = await begin(t, async () => {}, { body: { strange: true } })
  t.match(await attempt().ended, { state: 'failed', error: { code: 'internal' } })
})

t.test('an end that cannot be written now is tried again, and who waits is told', async t => {
  const told: string[] = []
  let left = 2
  const { store, attempt } = await begin(t, async () => {})
  const full = failing(store, async (claim: JobClaim, outcome) => {
    if (left-- > 0) throw new MeshError('storage_low', 'the disk is full')
    return await store.finish(claim, outcome)
  })
  const onUnstorable = ({ code }: MeshError): void => void told.push(code)
  t.match(await attempt({ components: { store: full, onUnstorable } }).ended, { state: 'succeeded' })
  t.strictSame(told, ['storage_low', 'storage_low'])
})

t.test('an end that can never be written, or not before the process stops, is left to the lease', async t => {
  const told = Promise.withResolvers<void>()
  const broken = await begin(t, async () => {})
  const never = failing(broken.store, async () => {
    throw new MeshError('internal', 'the database is damaged')
  })
  t.equal(await broken.attempt({ components: { store: never } }).ended, undefined)
  const stopping = await begin(t, async () => {})
  const full = failing(stopping.store, async () => {
    throw new MeshError('storage_low', 'the disk is full')
  })
  const one = stopping.attempt({ components: { store: full, onUnstorable: () => told.resolve() } })
  await told.promise
  one.abort('stopping')
  t.equal(await one.ended, undefined)
})

t.test('an attempt whose lease another took ends without a word', async t => {
  const { store, attempt } = await begin(t, async context => {
    await store.finish(claimOf(context), { state: 'queued', interrupted: true })
    await store.claim('two', LEASE_MS, [{ lane: 'x', class: 'interactive', count: 1 }])
  })
  t.equal(await attempt().ended, undefined)
  t.match(await store.get(`req_${'1'.repeat(32)}`), { state: 'running', attempts: 2 })
})

function claimOf({ job }: JobContext): JobClaim {
  return { jobId: job.id, owner: 'one', attempt: job.attempts }
}
