import type { Test } from 'tap'
import type { StoreSetup } from '../job-store-compliance.ts'
import { submission, submissions } from './submissions.ts'

const owner = { owner: 'one', leaseMs: 60_000 }

export function submitCompliance(t: Test, { open }: StoreSetup): void {
  t.test('a job is as it was submitted, and its log begins with its arrival', async t => {
    const store = await open(t)
    const submitted = submission({
      keyId: null,
      groupId: 'batch_1',
      customId: 'row \u0000 \ud800 🎈',
      hidden: true,
      class: 'batch',
      idempotency: { key: 'once', bodySha256: 'ab' },
      body: { text: 'a\u0000b \ud800', deep: [[{ z: 1, a: null }]], number: 1e-300 }
    })
    const { job, created, claim } = await store.submit(submitted)
    t.ok(created)
    t.equal(claim, undefined)
    t.strictSame(await store.get(submitted.id), job)
    const { waitMs, ...kept } = submitted
    t.match(job, { ...kept, expiresAtMs: job.createdAtMs + waitMs })
    t.match(job, {
      state: 'queued',
      attempts: 0,
      interruptions: 0,
      cancelRequested: false,
      eventCount: 1,
      result: null,
      error: null,
      usage: null,
      startedAtMs: null,
      endedAtMs: null
    })
    t.strictSame(await store.events(job.id, 0, 10), [{ number: 1, type: 'queued', data: null }])
    const plain = await store.submit(submission())
    t.notOk('customId' in plain.job || 'groupId' in plain.job || 'hidden' in plain.job || 'idempotency' in plain.job)
    t.ok(plain.job.createdAtMs >= job.createdAtMs)
    t.equal(await store.get('req_00'), undefined)
    t.strictSame(await store.events('req_00', 0, 10), [])
  })

  t.test('an idempotency key gives the same job again, and refuses another body', async t => {
    const store = await open(t)
    const idempotency = { key: 'once', bodySha256: 'aa' }
    const first = await store.submit(submission({ idempotency }))
    const again = await store.submit(submission({ idempotency }), owner)
    t.strictSame(again, { job: first.job, created: false })
    const other = submission({ idempotency: { key: 'once', bodySha256: 'bb' } })
    await t.rejects(store.submit(other), { code: 'idempotency_conflict' })
    await t.rejects(store.submitAll([submission(), other]), { code: 'idempotency_conflict' })
    t.equal(await store.get(other.id), undefined)
    const elsewhere = await store.submit(submission({ namespace: 'other', idempotency }))
    t.ok(elsewhere.created, 'another namespace has keys of its own')
    await store.cancel(first.job.id)
    t.ok(await store.remove(first.job.id))
    t.ok((await store.submit(submission({ idempotency }))).created, 'removed with its job')
  })

  t.test('a key that comes many times at once makes one job', async t => {
    const store = await open(t)
    const idempotency = { key: 'once', bodySha256: 'aa' }
    const results = await Promise.all(submissions(20, { idempotency }).map(one => store.submit(one, owner)))
    t.equal(results.filter(({ created }) => created).length, 1)
    t.equal(results.filter(({ claim }) => claim !== undefined).length, 1)
    t.equal(new Set(results.map(({ job }) => job.id)).size, 1)
  })

  t.test('one that is refused at once with others takes none of them along', async t => {
    const store = await open(t)
    const taken = submission()
    await store.submit(taken)
    const good = submissions(10)
    const results = await Promise.allSettled([
      ...good.slice(0, 5).map(one => store.submit(one)),
      store.submit(taken),
      store.append({ jobId: taken.id, owner: 'nobody', attempt: 1 }, 0, []),
      ...good.slice(5).map(one => store.submit(one))
    ])
    const refused = results.flatMap(result => (result.status === 'rejected' ? [result.reason.code] : []))
    t.strictSame(refused.toSorted(), ['invalid_request', 'job_lease_lost'])
    for (const { id } of good) t.equal((await store.get(id))?.state, 'queued')
  })

  t.test('all of many are stored, or none', async t => {
    const store = await open(t)
    const many = submissions(300, { groupId: 'batch_1' })
    t.equal(await store.submitAll(many), 300)
    t.strictSame(await store.countGroup('batch_1'), { queued: 300 })
    const [first] = many
    await t.rejects(store.submitAll([...submissions(3, { groupId: 'batch_2' }), first ?? submission()]), {
      code: 'invalid_request'
    })
    t.strictSame(await store.countGroup('batch_2'), {})
    t.equal(await store.submitAll([]), 0)
  })

  t.test('a job begins at once when nobody waits before it', async t => {
    const store = await open(t)
    const begun = await store.submit(submission(), owner)
    t.strictSame(begun.claim, { jobId: begun.job.id, owner: 'one', attempt: 1 })
    t.match(begun.job, { state: 'running', attempts: 1, eventCount: 2 })
    t.strictSame(await store.get(begun.job.id), begun.job)
    t.strictSame(
      (await store.events(begun.job.id, 0, 10)).map(({ type }) => type),
      ['queued', 'started']
    )
    const waiting = await store.submit(submission())
    const behind = await store.submit(submission(), owner)
    t.equal(behind.claim, undefined, 'one of the same key waits')
    t.ok((await store.submit(submission({ lane: 'elsewhere' }), owner)).claim)
    t.ok((await store.submit(submission({ class: 'batch' }), owner)).claim)
    const [next] = await store.claim('one', 60_000, [{ lane: 'tiny-chat', class: 'interactive', count: 1 }])
    t.equal(next?.job.id, waiting.job.id)
  })
}
