import { mock } from 'node:test'
import type { WorkClass } from '@resultity/interface'
import { Binding, type RunOptions } from '@resultity/onnx-runtime'
import t from 'tap'
import { KvArena } from '../src/capi/kv-arena.ts'
import { createEngine, PREFIX_KEPT_MS, type Stage } from '../src/index.ts'
import { watchRuns } from './company.ts'
import { openTinyChat } from './tiny-chat.ts'

const IDLE_MS = 1000
const ALONE_MS = 60_000

async function answer(stage: Stage, workClass: WorkClass = 'interactive'): Promise<void> {
  using session = stage.open({ positionsMax: 8, workClass })
  await session.run(Uint32Array.of(1, 4, 17))
}

t.test('memory is given back once, however often a stage has become idle before its turn', async t => {
  await using fixture = await openTinyChat()
  const engine = await createEngine('capi', { tuning: true })
  await using stage = await engine.loadStage(fixture.init({ first: 0, end: 4 }))
  await using other = await engine.loadStage(fixture.init({ first: 0, end: 4 }))
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  // idle stages make way for it
  using busy = other.open({ positionsMax: 8, promptCount: 4 })
  for (let time = 0; time < 3; time++) {
    await answer(stage)
    mock.timers.tick(IDLE_MS)
  }
  using watch = watchRuns()
  busy[Symbol.dispose]()
  t.equal(watch.count, 1, 'its turn has come')
  // in the order of arrival
  await answer(stage, 'batch')
  t.equal(watch.count, 2)
})

t.test('slots that are in use when a stage has been left alone are freed after that', async t => {
  await using fixture = await openTinyChat()
  const engine = await createEngine('capi', { tuning: true })
  await using stage = await engine.loadStage(fixture.init({ first: 0, end: 4 }))
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  await answer(stage)
  const { run } = Binding.prototype
  const dispose = KvArena.prototype[Symbol.dispose]
  t.teardown(() => {
    Binding.prototype.run = run
    KvArena.prototype[Symbol.dispose] = dispose
  })
  let freed = 0
  KvArena.prototype[Symbol.dispose] = function disposed(this: KvArena): void {
    freed++
    dispose.call(this)
  }
  const ended = Promise.withResolvers<() => void>()
  Binding.prototype.run = function held(this: Binding, options: RunOptions, done: Parameters<Binding['run']>[1]): void {
    run.call(this, options, error => ended.resolve(() => done(error)))
  }
  mock.timers.tick(IDLE_MS)
  const end = await ended.promise
  mock.timers.tick(ALONE_MS)
  t.equal(freed, 0, 'the position that gives memory back is being computed')
  end()
  t.equal(freed, 1)
  Binding.prototype.run = run
  await answer(stage)
})

t.test(
  'slots in which something is kept stay as long as that may be used, and giving memory back changes none of it',
  async t => {
    await using fixture = await openTinyChat()
    const engine = await createEngine('capi', { tuning: true })
    await using stage = await engine.loadStage(fixture.init({ first: 0, end: 4 }, { sessionsMax: 1 }))
    mock.timers.enable({ apis: ['setTimeout'] })
    t.teardown(() => mock.timers.reset())
    const prefix = { scope: 'a', blockPositions: 4, blocks: ['x', 'xy'], reuse: true }
    const prompt = Uint32Array.of(1, 4, 17, 9, 8, 30, 31, 32, 33, 34)
    const ask = async (): Promise<{ readonly found: number; readonly logits: Buffer }> => {
      using session = stage.open({ positionsMax: 16, prefix })
      const found = session.position
      for (let at = found; at < 8; at += 4) await session.run(prompt.subarray(at, at + 4))
      const logits = await session.run(prompt.subarray(8))
      session.leavePrefix?.()
      return { found, logits: Buffer.from(logits.slice().buffer) }
    }
    const cold = await ask()
    t.equal(cold.found, 0)
    {
      using watch = watchRuns()
      mock.timers.tick(IDLE_MS)
      t.equal(watch.count, 1, 'in the only row there is')
    }
    mock.timers.tick(ALONE_MS)
    const warm = await ask()
    t.equal(warm.found, 8)
    t.ok(warm.logits.equals(cold.logits))
    const { run } = Binding.prototype
    const ended = Promise.withResolvers<void>()
    Binding.prototype.run = function told(
      this: Binding,
      options: RunOptions,
      done: Parameters<Binding['run']>[1]
    ): void {
      run.call(this, options, error => {
        done(error)
        ended.resolve()
      })
    }
    mock.timers.tick(IDLE_MS)
    await ended.promise
    Binding.prototype.run = run
    mock.timers.tick(PREFIX_KEPT_MS)
    t.equal((await ask()).found, 0, 'it was left alone for too long')
  }
)
