import type { Test } from 'tap'
import type { JobFilter, JobStore } from '../../src/index.ts'
import type { StoreSetup } from '../job-store-compliance.ts'
import { submission, submissions } from './submissions.ts'

async function ids(store: JobStore, filter: Partial<JobFilter> = {}): Promise<string[]> {
  const { jobs } = await store.list({ limit: 100, ...filter })
  return jobs.map(({ id }) => id)
}

export function listCompliance(t: Test, { open }: StoreSetup): void {
  t.test('pages follow each other without a gap, in both directions', async t => {
    const store = await open(t)
    const many = submissions(7)
    for (const one of many) await store.submit(one)
    for (const order of ['asc', 'desc'] as const) {
      const seen: string[] = []
      for (let hasMore = true; hasMore; ) {
        const after = seen.at(-1)
        const page = await store.list({ order, limit: 3, ...(after === undefined ? {} : { after }) })
        seen.push(...page.jobs.map(({ id }) => id))
        hasMore = page.hasMore
      }
      const all = many.map(({ id }) => id)
      t.strictSame(seen, order === 'asc' ? all : all.toReversed())
    }
    const [newest] = await ids(store)
    t.equal(newest, many.at(-1)?.id, 'the newest first, when nothing is said')
    const exact = await store.list({ limit: 7 })
    t.notOk(exact.hasMore)
    t.strictSame(exact.jobs[0], await store.get(newest ?? ''), 'whole jobs')
  })

  t.test('a waiting job knows how many are begun before it', async t => {
    const store = await open(t)
    const [first, second, third] = submissions(3)
    for (const one of [first, second, third]) if (one !== undefined) await store.submit(one)
    const positions = () => Promise.all([first, second, third].map(one => store.position(one?.id ?? '')))
    t.strictSame(await positions(), [0, 1, 2])
    const { lane = '', class: jobClass = 'interactive' } = first ?? {}
    await store.claim('somebody', 60_000, [{ lane, class: jobClass, count: 1 }])
    t.strictSame(await positions(), [undefined, 0, 1], 'one that runs has no place in the queue')
    t.equal(await store.position('req_none'), undefined)
  })

  t.test('filters narrow, together', async t => {
    const store = await open(t)
    const a = submission({ namespace: 'a' })
    const b = submission({ namespace: 'b', endpoint: '/v1/embeddings' })
    const part = submission({ namespace: 'a', hidden: true, groupId: 'ensemble_1' })
    const cancelled = submission({ namespace: 'a' })
    for (const one of [a, b, part, cancelled]) await store.submit(one)
    await store.cancel(cancelled.id)
    const cases: readonly (readonly [Partial<JobFilter>, readonly string[]])[] = [
      [{}, [cancelled.id, b.id, a.id]],
      [{ hidden: true }, [cancelled.id, part.id, b.id, a.id]],
      [{ namespace: 'a' }, [cancelled.id, a.id]],
      [{ namespace: 'nobody' }, []],
      [{ endpoint: '/v1/embeddings' }, [b.id]],
      [{ groupId: 'ensemble_1', hidden: true }, [part.id]],
      [{ groupId: 'ensemble_1' }, []],
      [{ states: ['cancelled'] }, [cancelled.id]],
      [{ states: ['queued', 'running'], namespace: 'a' }, [a.id]],
      [{ states: [] }, []],
      [{ namespace: 'a', after: cancelled.id }, [a.id]]
    ]
    for (const [filter, expected] of cases) t.strictSame(await ids(store, filter), expected, JSON.stringify(filter))
    await t.rejects(ids(store, { after: 'req_00' }), { code: 'not_found' })
    await t.rejects(ids(store, { after: b.id, namespace: 'a' }), { code: 'not_found' }, "another's cursor")
    for (const limit of [0, -1, 1.5, 1001, Number.NaN]) {
      await t.rejects(ids(store, { limit }), { code: 'invalid_request', details: { param: 'limit' } })
    }
  })

  t.test('what is filed is found by what it is filed under', async t => {
    const store = await open(t)
    const metadata = { topic: 'a"b\n', owner: 'me' }
    const a = submission({ metadata, lane: 'model:one' })
    const b = submission({ metadata: { topic: 'A"B\n', ['__proto__']: 'x' }, lane: 'subcloud:s:model:one' })
    const c = submission({ metadata: {}, lane: 'model:one-more' })
    const unfiled = submission({ lane: 'model:one' })
    for (const one of [a, b, c, unfiled]) await store.submit(one)
    const cases: readonly (readonly [Partial<JobFilter>, readonly string[]])[] = [
      [{ metadata: {} }, [c.id, b.id, a.id]],
      [{ metadata: { topic: 'a"b\n' } }, [a.id]],
      [{ metadata: { topic: 'a"b\n', owner: 'me' } }, [a.id]],
      [{ metadata: { topic: 'a"b\n', owner: 'you' } }, []],
      [{ metadata: { topic: 'a' } }, []],
      [{ metadata: { 'topic","a': '' } }, []],
      [{ model: 'one' }, [unfiled.id, b.id, a.id]],
      [{ model: 'one', metadata: {} }, [b.id, a.id]],
      [{ model: 'on' }, []]
    ]
    for (const [filter, expected] of cases) t.strictSame(await ids(store, filter), expected, JSON.stringify(filter))
    t.strictSame((await store.get(a.id))?.metadata, metadata)
    t.equal((await store.get(unfiled.id))?.metadata, undefined)
    t.ok(await store.setMetadata(a.id, { topic: 'other' }))
    await store.cancel(a.id)
    t.match(await store.get(a.id), { state: 'cancelled', metadata: { topic: 'other' } }, 'whatever else changes')
    t.strictSame(await ids(store, { metadata: { topic: 'other' } }), [a.id])
    t.notOk(await store.setMetadata('req_none', {}))
  })

  t.test('jobs are counted by lane, class and state', async t => {
    const store = await open(t)
    await store.submitAll([...submissions(3), ...submissions(2, { class: 'batch' }), submission({ lane: 'b' })])
    await store.claim('one', 60_000, [{ lane: 'b', class: 'interactive', count: 5 }])
    const { job } = await store.submit(submission({ lane: 'c' }))
    await store.cancel(job.id)
    const counts = await store.counts()
    const sorted = counts.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)))
    t.strictSame(sorted, [
      { lane: 'b', class: 'interactive', count: 1, state: 'running' },
      { lane: 'tiny-chat', class: 'batch', count: 2, state: 'queued' },
      { lane: 'tiny-chat', class: 'interactive', count: 3, state: 'queued' }
    ])
  })

  t.test('only final jobs are removed, with all that belongs to them', async t => {
    const store = await open(t)
    const { job } = await store.submit(submission())
    t.notOk(await store.remove(job.id))
    await store.cancel(job.id)
    t.ok(await store.remove(job.id))
    t.notOk(await store.remove(job.id))
    t.equal(await store.get(job.id), undefined)
    t.strictSame(await store.events(job.id, 0, 10), [])
  })

  t.test('what ended long ago goes, the oldest first and some at a time', async t => {
    const store = await open(t)
    const many = submissions(5)
    for (const one of many) {
      await store.submit(one)
      await store.cancel(one.id)
    }
    const waiting = await store.submit(submission())
    t.equal(await store.prune(0, 10), 0)
    const later = Date.now() + 60_000
    t.equal(await store.prune(later, 2), 2)
    t.strictSame(await ids(store, { order: 'asc' }), [...many.slice(2).map(({ id }) => id), waiting.job.id])
    t.equal(await store.prune(later, 10), 3)
    t.equal(await store.prune(later, 10), 0)
    t.strictSame(await ids(store), [waiting.job.id])
  })
}
