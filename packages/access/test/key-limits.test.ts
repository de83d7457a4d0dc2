import { mock } from 'node:test'
import { errorReply } from '@resultity/api-kit'
import type { MeshError } from '@resultity/interface'
import { OpenJobs, openDatabase, windowCounters } from '@resultity/store'
import t, { type Test } from 'tap'
import type { Caller } from '../src/keys/caller.ts'
import { KeyLimiter } from '../src/limits/key-limiter.ts'
import { type KeyLimits, keyLimitsSchema, limitsAt, requestWindow } from '../src/limits/key-limits.ts'
import { limitHeaders } from '../src/limits/limit-headers.ts'

const CHAT = '/v1/chat/completions'
const NOW = 1_700_000_000_000

async function makeLimiter(t: Test, limits: KeyLimits) {
  const database = await openDatabase({ dataDir: t.testdir({}) })
  t.teardown(() => database[Symbol.asyncDispose]())
  mock.timers.enable({ apis: ['Date'], now: NOW })
  t.teardown(() => mock.timers.reset())
  const clock = { now: () => Date.now() }
  const limiter = new KeyLimiter({
    counters: windowCounters(database, clock),
    openJobs: new OpenJobs(database, ['group']),
    clock
  })
  const caller: Caller = { namespace: 'n', keyId: 'k', scopes: new Set(['inference']), limits }
  const addJob = async (id: string, endpoint = CHAT) => {
    const zero = { expires_at_ms: 0, attempts: 0, interruptions: 0, start_tag: 0, lease_until_ms: 0, created_at_ms: 0 }
    await database.kysely
      .insertInto('job')
      .values({
        ...{ id, namespace: 'n', endpoint, key_id: 'k', class: 'interactive', lane: 'l', state: 'queued' },
        ...{ ...zero, hidden: 0, cancel_requested: 0, attempts_max: 1, event_count: 1 }
      })
      .execute()
  }
  const endJob = (id: string) =>
    database.kysely.updateTable('job').set({ state: 'succeeded', ended_at_ms: NOW }).where('id', '=', id).execute()
  const pass = (ms: number) => mock.timers.setTime(Date.now() + ms)
  const request = (endpoint = CHAT) => limiter.request(caller, endpoint)
  const admit = (tokens: number, endpoint = CHAT) => limiter.admit(caller, { endpoint, tokens })
  return { limiter, caller, request, admit, addJob, endJob, pass }
}

/** The HTTP answer that a refusal becomes. */
async function refusal(work: Promise<unknown>) {
  const error = await work.then(
    () => undefined,
    (error: MeshError) => error
  )
  if (error === undefined) throw new Error('it was not refused')
  return errorReply(error)
}

t.test('a key without limits is held to none', async t => {
  const { request, admit } = await makeLimiter(t, {})
  for (let i = 0; i < 100; i++) t.strictSame(await request(), {})
  const admission = await admit(1e9)
  t.strictSame(admission.headers, {})
  await admission.refund()
})

t.test(
  'requests beyond the rate are refused until the window ends, and every answer says how many are left',
  async t => {
    const { request, pass } = await makeLimiter(t, { requests_per_second: 2, burst: 4 })
    const left = []
    for (let i = 0; i < 4; i++) left.push(await request())
    t.match(
      left,
      [3, 2, 1, 0].map(n => ({ 'x-ratelimit-remaining-requests': String(n) }))
    )
    t.match(left[0], { 'x-ratelimit-limit-requests': '4', 'x-ratelimit-reset-requests': '2s' })
    pass(1500)
    const { status, headers, body } = await refusal(request())
    t.equal(status, 429)
    t.match(body, { error: { code: 'rate_limited', type: 'rate_limit_error', message: /4 requests in 2 seconds/ } })
    t.strictSame(headers, {
      'retry-after': '1',
      'retry-after-ms': '500',
      'x-ratelimit-limit-requests': '4',
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': '500ms'
    })
    pass(500)
    t.match(await request(), { 'x-ratelimit-remaining-requests': '3' })
  }
)

t.test('a limit of one endpoint holds there, besides the key’s own', async t => {
  const limits = keyLimitsSchema.parse({ requests_per_second: 10, endpoints: { [CHAT]: { requests_per_second: 1 } } })
  const { request } = await makeLimiter(t, limits)
  t.match(await request(CHAT), { 'x-ratelimit-limit-requests': '1', 'x-ratelimit-remaining-requests': '0' })
  t.match(await refusal(request(CHAT)), { status: 429 })
  t.match(await request('/v1/models'), { 'x-ratelimit-remaining-requests': '8' }, 'what was refused did not count')
})

t.test('tokens are reserved, settled at the end, and given back when nothing was used', async t => {
  const { limiter, request, admit } = await makeLimiter(t, { tokens_per_minute: 1000 })
  const remaining = async () => (await request())['x-ratelimit-remaining-tokens']
  t.equal(await remaining(), '1000')
  const first = await admit(600)
  t.match(first.headers, { 'x-ratelimit-limit-tokens': '1000', 'x-ratelimit-remaining-tokens': '400' })
  t.match(await refusal(admit(600)), { status: 429, headers: { 'retry-after': '60' } })
  t.equal(await remaining(), '400', 'what was refused is not reserved')
  first.stored('req_1')
  await limiter.settle('req_1', { promptTokens: 50, completionTokens: 100 })
  t.equal(await remaining(), '850')
  await limiter.settle('req_1', { promptTokens: 50, completionTokens: 100 })
  t.equal(await remaining(), '850', 'once')
  const second = await admit(850)
  second.stored('req_2')
  await limiter.settle('req_2', null)
  t.equal(await remaining(), '850', 'it failed')
  const third = await admit(100)
  await third.refund()
  t.equal(await remaining(), '850', 'it was never stored')
  await limiter.settle('req_9', { promptTokens: 1, completionTokens: 1 })
  t.equal(await remaining(), '850', 'nothing was reserved for it')
})

t.test('what is settled in a later minute changes nothing there', async t => {
  const { limiter, request, admit, pass } = await makeLimiter(t, { tokens_per_minute: 1000 })
  const slow = await admit(900)
  slow.stored('req_1')
  pass(60_000)
  const next = await admit(100)
  await limiter.settle('req_1', null)
  t.match(await request(), { 'x-ratelimit-remaining-tokens': '900' }, 'no gift of 900 from the minute before')
  pass(60_000)
  await next.refund()
  t.match(await request(), { 'x-ratelimit-remaining-tokens': '1000' })
})

t.test('a request that can never fit is not to be tried again', async t => {
  const { admit } = await makeLimiter(t, { tokens_per_minute: 1000 })
  const { status, headers, body } = await refusal(admit(1001))
  t.equal(status, 429)
  t.equal(headers['x-should-retry'], 'false')
  t.match(body.error.message, /may take 1001 tokens.*max_tokens/)
})

t.test('concurrent jobs are those stored anywhere and those on their way here', async t => {
  const { admit, addJob, endJob } = await makeLimiter(t, { concurrent_jobs: 2 })
  const first = await admit(1)
  const second = await admit(1)
  t.match(await refusal(admit(1)), { status: 429, body: { error: { message: /2 requests queued or running/ } } })
  await addJob('req_1')
  first.stored('req_1')
  t.match(await refusal(admit(1)), { status: 429 })
  await second.refund()
  const third = await admit(1)
  await addJob('req_3')
  third.stored('req_3')
  t.match(await refusal(admit(1)), { status: 429, headers: { 'retry-after-ms': '1000' } })
  await endJob('req_1')
  await (await admit(1)).refund()
})

t.test('of a rush just as many are let in as may be', async t => {
  const { admit } = await makeLimiter(t, keyLimitsSchema.parse({ endpoints: { [CHAT]: { concurrent_jobs: 3 } } }))
  const settled = await Promise.allSettled(Array.from({ length: 50 }, () => admit(1)))
  t.equal(settled.filter(({ status }) => status === 'fulfilled').length, 3)
  await t.resolves(admit(1, '/v1/embeddings'), 'elsewhere there is no limit')
})

t.test('a key’s limits are found by the endpoint’s own name only', async t => {
  const limits = keyLimitsSchema.parse({ burst: 1, endpoints: { [CHAT]: { burst: 2 } } })
  t.strictSame(
    limitsAt('k', limits, CHAT).map(({ name }) => name),
    ['k', `k ${CHAT}`]
  )
  for (const endpoint of ['/v1/chat', '__proto__', 'constructor', ''])
    t.equal(limitsAt('k', limits, endpoint).length, 1)
})

t.test('a rate becomes a window in which a burst fits', async t => {
  t.strictSame(requestWindow({ requests_per_second: 5 }), { points: 5, ms: 1000 })
  t.strictSame(requestWindow({ requests_per_second: 0.5 }), { points: 1, ms: 2000 })
  t.strictSame(requestWindow({ requests_per_second: 2, burst: 10 }), { points: 10, ms: 5000 })
  t.strictSame(requestWindow({ requests_per_second: 2.5 }), { points: 2, ms: 800 })
  t.equal(requestWindow({ burst: 10 }), undefined)
})

t.test('the headers are of the limit that is nearest', async t => {
  const states = [
    { window: { points: 100, ms: 1000 }, used: 10, endsAtMs: 5000 },
    { window: { points: 20, ms: 1000 }, used: 25, endsAtMs: 65_000 }
  ]
  t.strictSame(limitHeaders('tokens', states, 4000), {
    'x-ratelimit-limit-tokens': '20',
    'x-ratelimit-remaining-tokens': '0',
    'x-ratelimit-reset-tokens': '1m1s'
  })
})
