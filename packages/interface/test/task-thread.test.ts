import t, { type Test } from 'tap'
import { MeshError } from '../src/errors.ts'
import { TaskThread, type TaskThreadInit } from '../src/task-thread.ts'
import type { TestTask } from './support/task-worker.ts'

const PATIENCE_MS = 600_000

function threadFor(
  t: Test,
  init: Partial<TaskThreadInit> = {}
): (task: TestTask, deadlineMs?: number, signal?: AbortSignal) => Promise<unknown> {
  const url = new URL('./support/task-worker.js', import.meta.url)
  const thread = new TaskThread({ url, tasksMax: 8, idleMs: PATIENCE_MS, heapMib: 64, tasks: 'tests', ...init })
  t.teardown(() => thread[Symbol.asyncDispose]())
  return (task, deadlineMs = PATIENCE_MS, signal) =>
    thread.run(task, { deadlineMs, ...(signal === undefined ? {} : { signal }) })
}

t.test('tasks are done in their order, one at a time, and what is in them is copied', async t => {
  const run = threadFor(t)
  const values = [1, 'two', { three: [3] }, null]
  t.strictSame(await Promise.all(values.map(value => run({ type: 'echo', value }))), values)
})

t.test('a buffer may be handed over', async t => {
  const url = new URL('./support/task-worker.js', import.meta.url)
  const thread = new TaskThread({ url, tasksMax: 1, idleMs: PATIENCE_MS, tasks: 'tests' })
  t.teardown(() => thread[Symbol.asyncDispose]())
  const value = Uint8Array.of(1, 2, 3)
  const echo: TestTask = { type: 'echo', value }
  t.strictSame(await thread.run(echo, { deadlineMs: PATIENCE_MS, transfer: [value.buffer] }), Uint8Array.of(1, 2, 3))
  t.equal(value.length, 0, 'it is here no more')
})

t.test('a task may end by a promise', async t => {
  const run = threadFor(t)
  const values = [run({ type: 'later', value: 1 }), run({ type: 'echo', value: 2 })]
  t.strictSame(await Promise.all(values), [1, 2])
})

t.test('an error of the task comes back whole, and the thread goes on', async t => {
  const run = threadFor(t)
  const error = { code: 'invalid_request', message: 'it is wrong', hint: 'Mend it.', details: { param: 'x' } }
  await t.rejects(run({ type: 'fail' }), error)
  t.equal(await run({ type: 'echo', value: 1 }), 1)
})

t.test('a task that does not end is ended at its deadline, and says where it was', async t => {
  const run = threadFor(t)
  const spinning = run({ type: 'spin', where: 'the third line' }, 50)
  const waiting = run({ type: 'echo', value: 'next' })
  await t.rejects(spinning, { name: 'TaskOverrun', limit: 'time', progress: 'the third line' })
  t.equal(await waiting, 'next', 'who waited is served by another thread')
})

t.test('a task that needs too much memory ends alone', async t => {
  const run = threadFor(t)
  const growing = run({ type: 'grow' })
  const waiting = run({ type: 'echo', value: 'next' })
  await t.rejects(growing, { name: 'TaskOverrun', limit: 'memory' })
  t.equal(await waiting, 'next')
})

t.test('a task that takes too much has the error that its caller makes of it', async t => {
  const url = new URL('./support/task-worker.js', import.meta.url)
  const thread = new TaskThread({ url, tasksMax: 1, idleMs: PATIENCE_MS, tasks: 'tests' })
  t.teardown(() => thread[Symbol.asyncDispose]())
  const spin: TestTask = { type: 'spin', where: 'the third line' }
  const spinning = thread.run(spin, {
    deadlineMs: 50,
    overrun: cause => new MeshError('resource_exhausted', `it took too much ${cause.limit}`, { cause })
  })
  await t.rejects(spinning, {
    code: 'resource_exhausted',
    message: 'it took too much time',
    cause: { name: 'TaskOverrun', progress: 'the third line' }
  })
})

t.test('a thread that exits fails its task and no other', async t => {
  const run = threadFor(t)
  const exiting = run({ type: 'exit' })
  const waiting = run({ type: 'echo', value: 'next' })
  await t.rejects(exiting, { code: 'unavailable' })
  t.equal(await waiting, 'next')
})

t.test('no more tasks wait than may', async t => {
  const run = threadFor(t, { tasksMax: 2 })
  const first = run({ type: 'echo', value: 1 })
  const second = run({ type: 'echo', value: 2 })
  await t.rejects(run({ type: 'echo', value: 3 }), { code: 'resource_exhausted', message: /2 tests/ })
  t.strictSame(await Promise.all([first, second]), [1, 2])
})

t.test('a caller that leaves ends its task, whether it waits or runs', async t => {
  const run = threadFor(t)
  const running = new AbortController()
  const waiting = new AbortController()
  const spinning = run({ type: 'spin', where: 'x' }, PATIENCE_MS, running.signal)
  const second = run({ type: 'spin', where: 'y' }, PATIENCE_MS, waiting.signal)
  const third = run({ type: 'echo', value: 'third' })
  const left = new MeshError('canceled', 'the client left')
  waiting.abort(left)
  await t.rejects(second, left)
  running.abort(left)
  await t.rejects(spinning, left)
  t.equal(await third, 'third')
  await t.rejects(run({ type: 'echo', value: 1 }, PATIENCE_MS, AbortSignal.abort(left)), left)
})

t.test('a task that finishes is not heard any more once its signal aborts, and its thread goes on', async t => {
  const url = new URL('./support/task-worker.js', import.meta.url)
  const thread = new TaskThread({ url, tasksMax: 8, idleMs: PATIENCE_MS, tasks: 'tests' })
  t.teardown(() => thread[Symbol.asyncDispose]())
  const run = (task: TestTask, signal?: AbortSignal): Promise<unknown> =>
    thread.run(task, { deadlineMs: PATIENCE_MS, finishes: true, ...(signal && { signal }) })
  const flags = new Int32Array(new SharedArrayBuffer(12))
  const leaving = new AbortController()
  const left = new MeshError('canceled', 'the client left')
  const held = run({ type: 'hold', flags }, leaving.signal)
  const waiting = run({ type: 'echo', value: 1 }, leaving.signal)
  const next = run({ type: 'thread' })
  await Atomics.waitAsync(flags, 0, 0).value
  leaving.abort(left)
  await t.rejects(held, left)
  await t.rejects(waiting, left)
  Atomics.store(flags, 1, 1)
  Atomics.notify(flags, 1)
  t.equal(await next, flags[2], 'in the same thread')
})

t.test('closed, it fails what waits and takes nothing more', async t => {
  const thread = new TaskThread({
    url: new URL('./support/task-worker.js', import.meta.url),
    tasksMax: 8,
    idleMs: PATIENCE_MS,
    tasks: 'tests'
  })
  const tasks = [
    thread.run({ type: 'spin', where: 'x' }, { deadlineMs: PATIENCE_MS }),
    thread.run({ type: 'echo', value: 1 }, { deadlineMs: PATIENCE_MS })
  ]
  const ends = Promise.all(tasks.map(task => t.rejects(task, { code: 'unavailable' })))
  await thread[Symbol.asyncDispose]()
  await ends
  await t.rejects(thread.run({ type: 'echo', value: 1 }, { deadlineMs: PATIENCE_MS }), { code: 'unavailable' })
})
