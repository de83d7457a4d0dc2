import type { Test } from 'tap'
import type { JobStore } from '../../src/index.ts'
import type { StoreSetup } from '../job-store-compliance.ts'
import { submission, submissions } from './submissions.ts'

const lane = 'tiny-chat'
const claimRequest = { lane, class: 'interactive', count: 1 } as const

async function claimKeys(store: JobStore, count: number): Promise<(string | null)[]> {
  const claimed = await store.claim('one', 60_000, [{ ...claimRequest, count }])
  return claimed.map(({ job }) => job.keyId)
}

export function claimCompliance(t: Test, { open }: StoreSetup): void {
  t.test('jobs of one key are begun by age, as many as there is room for', async t => {
    const store = await open(t)
    const many = submissions(5)
    for (const one of many) await store.submit(one)
    await store.submit(submission({ lane: 'other' }))
    await store.submit(submission({ class: 'batch' }))
    const claimed = await store.claim('one', 60_000, [
      { ...claimRequest, count: 3 },
      { lane: 'nobody waits here', class: 'batch', count: 9 },
      { ...claimRequest, lane: 'other', count: 9 }
    ])
    const own = claimed.filter(({ job }) => job.lane === lane)
    t.strictSame(
      own.map(({ job }) => job.id),
      many.slice(0, 3).map(({ id }) => id)
    )
    t.equal(claimed.length, 4)
    for (const { job, claim } of claimed) {
      t.strictSame(claim, { jobId: job.id, owner: 'one', attempt: 1 })
      t.match(job, { state: 'running', attempts: 1, eventCount: 2, startedAtMs: Number })
      t.strictSame(await store.get(job.id), job)
    }
    t.strictSame(await store.claim('one', 60_000, []), [])
  })

  t.test("one key's thousand jobs do not starve another's one", async t => {
    const store = await open(t)
    await store.submitAll(submissions(1000, { keyId: 'key_a' }))
    await claimKeys(store, 10)
    await store.submit(submission({ keyId: 'key_b' }))
    await store.submit(submission({ keyId: null, namespace: 'c' }))
    t.strictSame((await claimKeys(store, 3)).toSorted(), ['key_a', 'key_b', null].toSorted())
  })

  t.test('nor does one that always comes back after its turn', async t => {
    const store = await open(t)
    await store.submitAll(submissions(20, { keyId: 'key_a' }))
    const served: (string | null)[] = []
    for (let turn = 0; turn < 20; turn++) {
      await store.submit(submission({ keyId: 'key_b' }))
      served.push(...(await claimKeys(store, 2)))
    }
    t.equal(served.filter(key => key === 'key_b').length, 20)
    t.equal(served.filter(key => key === 'key_a').length, 20)
    // and where there is one place for two keys, they take turns
    await store.submitAll(submissions(20, { keyId: 'key_a' }))
    const turns: (string | null)[] = []
    for (let turn = 0; turn < 20; turn++) {
      await store.submit(submission({ keyId: 'key_b' }))
      turns.push(...(await claimKeys(store, 1)))
    }
    const ofA = turns.filter(key => key === 'key_a').length
    t.ok(ofA >= 9 && ofA <= 11, `${ofA} of 20`)
  })

  t.test('a job has one owner, however many ask', async t => {
    const store = await open(t)
    await store.submitAll(submissions(60))
    const claims = await Promise.all(
      Array.from({ length: 8 }, (_, index) => store.claim(`owner ${index}`, 60_000, [{ ...claimRequest, count: 10 }]))
    )
    const ids = claims.flat().map(({ job }) => job.id)
    t.equal(ids.length, 60)
    t.equal(new Set(ids).size, 60)
  })

  t.test('a job past its deadline is not begun, and expires', async t => {
    const store = await open(t)
    const { job } = await store.submit(submission({ waitMs: -1 }))
    const alive = await store.submit(submission())
    const claimed = await store.claim('one', 60_000, [{ ...claimRequest, count: 5 }])
    t.strictSame(
      claimed.map(({ job }) => job.id),
      [alive.job.id]
    )
    await store.sweep()
    const expired = await store.get(job.id)
    t.match(expired, { state: 'expired', eventCount: 2, endedAtMs: Number })
    t.match((await store.events(job.id, 1, 1))[0], { number: 2, type: 'expired' })
    t.match(await store.get(alive.job.id), { state: 'running' })
  })

  t.test('a lease that runs out gives the job to another, and fences the first', async t => {
    const store = await open(t)
    const { job, claim } = await store.submit(submission(), { owner: 'one', leaseMs: 0 })
    if (claim === undefined) throw new Error('not begun')
    await t.rejects(store.append(claim, 2, [{ type: 'token', data: 1 }]), { code: 'job_lease_lost' })
    await store.sweep()
    t.match(await store.get(job.id), { state: 'queued', attempts: 1, interruptions: 1, eventCount: 2 })
    const [second] = await store.claim('one', 60_000, [claimRequest])
    if (second === undefined) throw new Error('not claimed')
    t.match(second, { claim: { attempt: 2 }, job: { attempts: 2, eventCount: 2, startedAtMs: job.startedAtMs } })
    // the same owner, an earlier attempt
    t.strictSame(await store.renew([claim, second.claim], 60_000), [claim])
    await t.rejects(store.append(claim, 2, [{ type: 'token', data: 1 }]), { code: 'job_lease_lost' })
    await t.rejects(store.finish(claim, { state: 'cancelled' }), { code: 'job_lease_lost' })
    t.equal(await store.append(second.claim, 2, [{ type: 'token', data: 1 }]), 3)
  })

  t.test('a renewed lease lasts, and claims that are void are told', async t => {
    const store = await open(t)
    const { claim } = await store.submit(submission(), { owner: 'one', leaseMs: 60_000 })
    if (claim === undefined) throw new Error('not begun')
    const removed = { jobId: 'req_gone', owner: 'one', attempt: 1 }
    const stolen = { ...claim, owner: 'two' }
    t.strictSame(await store.renew([removed, claim, stolen], 120_000), [removed, stolen])
    await store.sweep()
    t.match(await store.get(claim.jobId), { state: 'running' })
    // shortened: the same call, so that it can be seen without waiting
    t.strictSame(await store.renew([claim], 0), [])
    t.strictSame(await store.renew([claim], 60_000), [claim], 'too late')
    await store.sweep()
    t.match(await store.get(claim.jobId), { state: 'queued', interruptions: 1 })
  })

  t.test('a job that ends its coordinators fails in the end', async t => {
    const store = await open(t, { interruptionsMax: 2 })
    const { job } = await store.submit(submission({ attemptsMax: 1 }), { owner: 'one', leaseMs: 0 })
    await store.sweep()
    t.match(await store.get(job.id), { state: 'queued', interruptions: 1 })
    await store.claim('two', 0, [claimRequest])
    await store.sweep()
    t.match(await store.get(job.id), {
      state: 'failed',
      attempts: 2,
      interruptions: 2,
      error: { code: 'interrupted_too_often', param: null }
    })
    t.match((await store.events(job.id, 2, 9))[0], { number: 3, type: 'failed' })
  })

  t.test('a job that its coordinator gives back is no danger to coordinators, however often', async t => {
    const store = await open(t, { interruptionsMax: 2 })
    const { job } = await store.submit(submission({ attemptsMax: 1 }))
    for (let time = 1; time <= 5; time++) {
      const [claimed] = await store.claim('one', 60_000, [claimRequest])
      if (claimed === undefined) throw new Error('not claimed')
      const given = await store.finish(claimed.claim, { state: 'queued', interrupted: true })
      t.match(given, { state: 'queued', attempts: time, interruptions: time })
    }
    await store.claim('two', 0, [claimRequest])
    await store.sweep()
    t.match(await store.get(job.id), { state: 'queued', interruptions: 6 }, 'the first coordinator that ended with it')
    await store.claim('three', 0, [claimRequest])
    await store.sweep()
    t.match(await store.get(job.id), { state: 'failed', error: { code: 'interrupted_too_often' } })
  })

  t.test('of jobs that a coordinator ended over, one runs at a time, and others beside it', async t => {
    const store = await open(t, { interruptionsMax: 3, waitingLanes: ['group'] })
    for (const one of submissions(3)) await store.submit(one)
    await store.submit(submission({ lane: 'group' }))
    const all = [
      { ...claimRequest, count: 9 },
      { ...claimRequest, lane: 'group', count: 9 }
    ]
    t.equal((await store.claim('one', 0, all)).length, 4)
    await store.sweep()
    await store.submit(submission())
    const claimed = await store.claim('two', 60_000, all)
    const kinds = claimed.map(({ job }) => [job.lane, job.interruptions])
    t.strictSame(
      kinds.toSorted(),
      [
        ['group', 1],
        [lane, 0],
        [lane, 1]
      ].toSorted()
    )
    t.strictSame(await store.claim('two', 60_000, all), [], 'the others wait for its end')
    const suspect = claimed.find(({ job }) => job.lane === lane && job.interruptions === 1)
    if (suspect === undefined) throw new Error('none was claimed')
    await store.finish(suspect.claim, { state: 'cancelled' })
    t.equal((await store.claim('two', 60_000, all)).length, 1)
  })

  t.test('how many nodes were lost is kept, and how many coordinators may end depends on the endpoint', async t => {
    const store = await open(t, { interruptionsMax: 1, interruptionsMaxOf: { '/v1/batches': 2 } })
    const { job } = await store.submit(submission({ endpoint: '/v1/batches' }))
    const [first] = await store.claim('one', 60_000, [claimRequest])
    if (first === undefined) throw new Error('not claimed')
    t.equal(first.job.nodesLost, 0)
    await store.finish(first.claim, { state: 'queued', interrupted: false, nodesLost: 2 })
    const [second] = await store.claim('one', 0, [claimRequest])
    t.equal(second?.job.nodesLost, 2)
    await store.sweep()
    t.match(await store.get(job.id), { state: 'queued', nodesLost: 2 })
    await store.claim('one', 0, [claimRequest])
    await store.sweep()
    t.match(await store.get(job.id), { state: 'failed', nodesLost: 2 })
  })

  t.test('a job that is given back keeps its place', async t => {
    const store = await open(t)
    const many = submissions(3)
    for (const one of many) await store.submit(one)
    const [first] = await store.claim('one', 60_000, [claimRequest])
    if (first === undefined) throw new Error('not claimed')
    await store.finish(first.claim, { state: 'queued', interrupted: true })
    const claimed = await store.claim('one', 60_000, [{ ...claimRequest, count: 3 }])
    t.strictSame(
      claimed.map(({ job }) => job.id),
      many.map(({ id }) => id)
    )
  })
}
