import assert from 'node:assert/strict'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import type { Test } from 'tap'
import type { JobClaim, JobEvent, JobOutcome, JobStore, NewJobEvent } from '../../src/index.ts'
import type { StoreSetup } from '../job-store-compliance.ts'
import { submission } from './submissions.ts'

const result = { status: 200, headers: { 'x-route': 'a' }, body: { text: 'x\u0000y' } }
const usage = { promptTokens: 3, completionTokens: 4 }
const error = { code: 'node_lost', message: 'gone', param: null }

async function begun(store: JobStore, over = {}): Promise<JobClaim> {
  const { claim } = await store.submit(submission(over), { owner: 'one', leaseMs: 60_000 })
  if (claim === undefined) throw new Error('not begun')
  return claim
}

export function logCompliance(t: Test, { open }: StoreSetup): void {
  t.test('entries are numbered from one, without a gap', async t => {
    const store = await open(t)
    const claim = await begun(store)
    const data = { text: 'a\u0000b \ud800', list: [1, null] }
    t.equal(await store.append(claim, 2, [{ type: 'token', data }]), 3)
    t.equal(await store.append(claim, 3, []), 3)
    const pair = [
      { type: 'token', data: 1 },
      { type: 'token', data: 2 }
    ]
    t.equal(await store.append(claim, 3, pair), 5)
    await t.rejects(store.append(claim, 3, pair), { code: 'job_lease_lost' }, 'said twice')
    await t.rejects(store.append(claim, 6, pair), { code: 'job_lease_lost' }, 'said too early')
    t.strictSame(await store.events(claim.jobId, 2, 9), [
      { number: 3, type: 'token', data },
      { number: 4, type: 'token', data: 1 },
      { number: 5, type: 'token', data: 2 }
    ])
    t.equal((await store.get(claim.jobId))?.eventCount, 5)
  })

  t.test('appends that are not waited for keep their order', async t => {
    const store = await open(t)
    const claim = await begun(store)
    const numbers = Array.from({ length: 200 }, (_, index) => index)
    await Promise.all(numbers.map(index => store.append(claim, 2 + index, [{ type: 'token', data: index }])))
    const events = await store.events(claim.jobId, 2, 1000)
    t.strictSame(
      events.map(({ data }) => data),
      numbers
    )
  })

  t.test('any part of a log is what it is of the whole, however it was written', async t => {
    const store = await open(t)
    const packs = fc.array(fc.array(fc.jsonValue(), { maxLength: 4 }), { maxLength: 6 })
    await assertProperty(
      fc.asyncProperty(packs, fc.nat(16), fc.integer({ min: 1, max: 16 }), async (packs, after, limit) => {
        const claim = await begun(store)
        const whole: JobEvent[] = [...(await store.events(claim.jobId, 0, 9))]
        for (const pack of packs) {
          const events = pack.map((data, index) => ({ type: `type ${index}`, data })) as NewJobEvent[]
          await store.append(claim, whole.length, events)
          for (const event of events) whole.push({ number: whole.length + 1, ...event })
        }
        const part = await store.events(claim.jobId, after, limit)
        assert.equal(JSON.stringify(part), JSON.stringify(whole.slice(after, after + limit)))
      }),
      { numRuns: 40 }
    )
  })

  t.test('an attempt ends as its owner says', async t => {
    const store = await open(t)
    const cases: readonly (readonly [JobOutcome, object])[] = [
      [
        { state: 'succeeded', result, usage },
        { result, usage, error: null }
      ],
      [
        { state: 'succeeded', result, usage: null },
        { result, usage: null, error: null }
      ],
      [
        { state: 'failed', error },
        { error, result: null, usage: null }
      ],
      [{ state: 'cancelled' }, { error: null, result: null }]
    ]
    for (const [outcome, expected] of cases) {
      const claim = await begun(store)
      const job = await store.finish(claim, outcome)
      t.match(job, { state: outcome.state, endedAtMs: Number, eventCount: 3, ...expected })
      t.strictSame(await store.get(claim.jobId), job)
      t.match((await store.events(claim.jobId, 2, 9))[0], { number: 3, type: outcome.state, data: null })
      await t.rejects(store.append(claim, 3, [{ type: 'token', data: 1 }]), { code: 'job_lease_lost' })
      await t.rejects(store.finish(claim, outcome), { code: 'job_lease_lost' })
    }
    await t.rejects(store.finish({ jobId: 'req_00', owner: 'one', attempt: 1 }, { state: 'cancelled' }), {
      code: 'job_lease_lost'
    })
  })

  t.test('attempts are used up by failures, and not by interruptions', async t => {
    const store = await open(t)
    let claim = await begun(store, { attemptsMax: 2 })
    const again = async (interrupted: boolean): Promise<void> => {
      t.match(await store.finish(claim, { state: 'queued', interrupted }), { state: 'queued', eventCount: 2 })
      const [next] = await store.claim('one', 60_000, [{ lane: 'tiny-chat', class: 'interactive', count: 1 }])
      if (next === undefined) throw new Error('not claimed')
      t.equal(next.job.eventCount, 2, 'only the first attempt says that it began')
      claim = next.claim
    }
    for (const interrupted of [true, true, false, true]) await again(interrupted)
    t.match(await store.finish(claim, { state: 'queued', interrupted: false }), {
      state: 'failed',
      attempts: 5,
      interruptions: 3,
      error: { code: 'attempts_exhausted' },
      eventCount: 3
    })
  })
}
