import { MeshError } from '@resultity/interface'
import type { BatchStore } from '@resultity/store'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { BatchBench, inputOf, type LineBody } from './support/batch-bench.ts'

t.test('every line is answered, or has its error, and the batch is completed', async t => {
  const bench = await BatchBench.open(t)
  const batch = await bench.add(inputOf([{ say: 'a' }, { fail: true }, { refuse: true }, { say: 'b' }]))
  await bench.attempt(batch).run()
  const ended = await bench.find(batch)
  t.match(ended, { status: 'completed', linesTotal: 4, linesTaken: 4, linesCompleted: 2, linesFailed: 2 })
  t.match(await bench.lines(ended.outputFileId), [
    { custom_id: 'line 1', response: { body: { said: 'a' } } },
    { custom_id: 'line 4', response: { body: { said: 'b' } } }
  ])
  const errors = (await bench.lines(ended.errorFileId)).toSorted((a, b) =>
    `${a.custom_id}`.localeCompare(`${b.custom_id}`)
  )
  t.match(errors, [
    { custom_id: 'line 2', error: { code: 'engine_failed' } },
    { custom_id: 'line 3', error: { code: 'invalid_request' } }
  ])
})

t.test('an input that is none fails the batch, and says why', async t => {
  const bench = await BatchBench.open(t, { batchLinesMax: 3 })
  for (const [input, code] of [
    ['', 'empty_file'],
    ['\n\n', 'empty_file'],
    [inputOf([{}, {}, {}, {}]), 'too_many_tasks']
  ] as const) {
    const batch = await bench.add(input)
    await bench.attempt(batch).run()
    t.match(await bench.find(batch), { status: 'failed', failures: [{ code }], outputFileId: null })
  }
  t.strictSame(bench.ran, [])
})

t.test('a batch that is cancelled keeps what was answered, ends what runs and begins nothing more', async t => {
  const bench = await BatchBench.open(t)
  bench.places = 4
  const hanging = Array.from({ length: 6 }, (): LineBody => ({ hang: true }))
  const batch = await bench.add(inputOf([{ say: 'a' }, ...hanging]))
  const running = bench.attempt(batch).run()
  // as many as batch work may have
  while (bench.ran.length < 4) await new Promise(resolve => setImmediate(resolve))
  await bench.components.batches.change(batch.id, ['in_progress'], { status: 'cancelling' }, Date.now())
  await running
  const ended = await bench.find(batch)
  t.match(ended, { status: 'cancelled', linesCompleted: 1, linesFailed: 6 })
  t.equal(bench.ran.length, 4)
  const errors = await bench.lines(ended.errorFileId)
  t.strictSame([...new Set(errors.map(({ error }) => error?.code))], ['batch_cancelled'])
  t.equal(new Set(errors.map(line => line.custom_id)).size, 6)
})

t.test('a batch whose time is over says which lines were not begun', async t => {
  const bench = await BatchBench.open(t)
  const batch = await bench.add(inputOf([{ say: 'a' }, { say: 'b' }]), { expiresAtMs: Date.now() - 1 })
  await bench.attempt(batch).run()
  const ended = await bench.find(batch)
  t.match(ended, { status: 'expired', linesCompleted: 0, linesFailed: 2 })
  t.match(await bench.lines(ended.errorFileId), [
    { custom_id: 'line 1', error: { code: 'batch_expired' } },
    { custom_id: 'line 2', error: { code: 'batch_expired' } }
  ])
  t.strictSame(bench.ran, [])
})

t.test('a full queue is waited for, and loses no line', async t => {
  const bench = await BatchBench.open(t)
  const batch = await bench.add(inputOf([{ say: 'a' }, { say: 'b' }]))
  let full = 3
  const disk = {
    requireSpace: async () => {
      if (full-- > 0) throw new MeshError('storage_low', 'the disk is nearly full')
    }
  }
  await bench.attempt(batch, { disk }).run()
  t.match(await bench.find(batch), { status: 'completed', linesCompleted: 2 })
  t.strictSame(bench.ran.toSorted(), ['line 1', 'line 2'])
})

t.test('whatever moments its attempts end at, each line is a job once and the files have each once', async t => {
  const bench = await BatchBench.open(t, { jobCrashesMax: 1000 })
  const body = fc.constantFrom<LineBody>({ say: 'x' }, { say: 'y' }, { refuse: true }, { fail: true })
  // more lines than become jobs at once
  const bodies = fc
    .tuple(fc.array(body, { minLength: 1, maxLength: 20 }), fc.constantFrom(1, 15))
    .map(([some, times]) => {
      return Array.from({ length: times }, () => some).flat()
    })
  const ends = fc.array(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.boolean()), { maxLength: 5 })
  await assertProperty(
    fc.asyncProperty(bodies, ends, async (lines, deaths) => {
      bench.ran.length = 0
      const batch = await bench.add(inputOf(lines))
      for (const [calls, done] of deaths) {
        const batches = dyingAfter(bench.components.batches, calls, done)
        await bench
          .attempt(await bench.find(batch), { batches })
          .run()
          .catch(() => {})
      }
      const last = await bench.find(batch)
      if (last.status !== 'completed') await bench.attempt(last).run()
      const ended = await bench.find(batch)
      const files = [...(await bench.lines(ended.outputFileId)), ...(await bench.lines(ended.errorFileId))]
      const ids = files.map(line => line.custom_id)
      const runs = lines.filter(({ refuse }) => refuse !== true).length
      const answered = lines.filter(({ say }) => say !== undefined).length
      return (
        ended.status === 'completed' &&
        ended.linesCompleted === answered &&
        ended.linesFailed === lines.length - answered &&
        ids.length === lines.length &&
        new Set(ids).size === lines.length &&
        bench.ran.length === runs &&
        new Set(bench.ran).size === runs
      )
    }),
    { numRuns: 25 }
  )
})

/** The store, until the process that uses it ends: with a call that is done and not heard of, or is not done. */
function dyingAfter(batches: BatchStore, calls: number, done: boolean): BatchStore {
  let left = calls
  return new Proxy(batches, {
    get: (target, name) => {
      const method = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      return async (...args: unknown[]) => {
        if (left-- > 1) return await method.apply(target, args)
        if (left === 0 && done) await method.apply(target, args)
        throw new Error('the process has ended')
      }
    }
  })
}
