import type { Test } from 'tap'
import type { JobNotice } from '../../src/index.ts'
import type { StoreSetup } from '../job-store-compliance.ts'
import { submission, submissions } from './submissions.ts'

const owner = { owner: 'one', leaseMs: 60_000 }
const claimRequest = { lane: 'tiny-chat', class: 'interactive', count: 1 } as const

export function cancelCompliance(t: Test, { open }: StoreSetup): void {
  t.test('a queued job is cancelled now, a running one when its owner hears of it', async t => {
    const store = await open(t)
    const queued = await store.submit(submission({ lane: 'full' }))
    t.match(await store.cancel(queued.job.id), { state: 'cancelled', eventCount: 2, endedAtMs: Number })
    t.strictSame(await store.claim('one', 60_000, [{ ...claimRequest, lane: 'full' }]), [])

    const { job, claim } = await store.submit(submission(), owner)
    if (claim === undefined) throw new Error('not begun')
    t.match(await store.cancel(job.id), { state: 'running', cancelRequested: true, eventCount: 2 })
    t.equal(await store.append(claim, 2, [{ type: 'token', data: 1 }]), 3, 'it may still say what it has')
    t.match(await store.finish(claim, { state: 'cancelled' }), { state: 'cancelled', eventCount: 4 })
    const final = await store.get(job.id)
    t.strictSame(await store.cancel(job.id), final, 'stays as it is')
    t.equal(await store.cancel('req_00'), undefined)
  })

  t.test('a job whose end was asked for is not queued again, but may succeed', async t => {
    const store = await open(t)
    for (const interrupted of [true, false]) {
      const { job, claim } = await store.submit(submission(), owner)
      await store.cancel(job.id)
      if (claim === undefined) throw new Error('not begun')
      t.match(await store.finish(claim, { state: 'queued', interrupted }), { state: 'cancelled' })
    }
    const abandoned = await store.submit(submission(), { owner: 'one', leaseMs: 0 })
    await store.cancel(abandoned.job.id)
    await store.sweep()
    t.match(await store.get(abandoned.job.id), { state: 'cancelled' })
    const { job, claim } = await store.submit(submission(), owner)
    await store.cancel(job.id)
    if (claim === undefined) throw new Error('not begun')
    const result = { status: 200, headers: {}, body: null }
    t.match(await store.finish(claim, { state: 'succeeded', result, usage: null }), { state: 'succeeded' })
  })

  t.test('a group is cancelled as a whole', async t => {
    const store = await open(t)
    const group = submissions(4, { groupId: 'batch_1' })
    await store.submitAll(group)
    const [first] = await store.claim('one', 60_000, [claimRequest])
    const [second] = await store.claim('one', 60_000, [claimRequest])
    if (first === undefined || second === undefined) throw new Error('not claimed')
    await store.finish(second.claim, {
      state: 'failed',
      error: { code: 'x', message: 'x', param: null }
    })
    const other = await store.submit(submission())
    await store.cancelGroup('batch_1')
    t.strictSame(await store.countGroup('batch_1'), { cancelled: 2, failed: 1, running: 1 })
    t.match(await store.get(first.job.id), { cancelRequested: true })
    t.match(await store.get(other.job.id), { state: 'queued' })
    for (const { id } of group.slice(2)) {
      t.match(await store.get(id), { state: 'cancelled', eventCount: 2, endedAtMs: Number })
      t.match((await store.events(id, 1, 9))[0], { number: 2, type: 'cancelled' })
    }
    await store.cancelGroup('nobody')
  })

  t.test('listeners hear what changed, until they stop', async t => {
    const store = await open(t)
    const heard: JobNotice[] = []
    const stop = store.onNotice(notice => heard.push(notice))
    const told = async (what: string, work: () => Promise<unknown>, expected: readonly JobNotice[]): Promise<void> => {
      heard.length = 0
      await work()
      for (const notice of expected)
        t.ok(
          heard.some(one => JSON.stringify(one) === JSON.stringify(notice)),
          what
        )
    }
    const one = submission()
    const changed = { type: 'changed', jobId: one.id } as const
    await told('submit', () => store.submit(one), [{ type: 'queued', lane: 'tiny-chat' }])
    await told('claim', () => store.claim('one', 60_000, [claimRequest]), [changed])
    const claim = { jobId: one.id, owner: 'one', attempt: 1 }
    await told('append', () => store.append(claim, 2, [{ type: 'token', data: 1 }]), [changed])
    await told('cancel', () => store.cancel(one.id), [{ type: 'cancel_requested', jobId: one.id }])
    await told('finish', () => store.finish(claim, { state: 'cancelled' }), [changed])
    const two = submission({ groupId: 'batch_1', waitMs: -1 })
    await told('submitAll', () => store.submitAll([two]), [{ type: 'queued', lane: 'tiny-chat' }])
    await told('sweep', () => store.sweep(), [{ type: 'changed', jobId: two.id }])
    const three = submission({ groupId: 'batch_1' })
    await store.submitAll([three])
    await told('cancelGroup', () => store.cancelGroup('batch_1'), [{ type: 'changed', jobId: three.id }])
    const four = await store.submit(submission({ lane: 'short' }), { owner: 'one', leaseMs: 0 })
    await told('lost lease', () => store.sweep(), [
      { type: 'queued', lane: 'short' },
      { type: 'changed', jobId: four.job.id }
    ])
    stop()
    heard.length = 0
    await store.submit(submission())
    t.strictSame(heard, [])
  })
}
