import { dirname } from 'node:path'
import { mock } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { memoryMappings } from '@resultity/runtime-tuning'
import t from 'tap'
import { createEngine, measureStage, probeMachine } from '../src/index.ts'
import { openTinyChat, Pipeline } from './tiny-chat.ts'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

const MEGABYTE = 1024 * 1024

function residentBytes(): number {
  collectGarbage()
  return process.memoryUsage.rss()
}

t.test('loading and unloading fifty times keeps memory flat', async t => {
  await using fixture = await openTinyChat()
  const engine = await createEngine('capi', { tuning: true })
  const cycle = async (): Promise<void> => {
    await using pipeline = await Pipeline.load(engine, [2, 4], fixture.init)
    using session = pipeline.open()
    await session.run([1, 4, 17, 335])
    await session.run([286])
  }
  // allocators settle in the first rounds
  for (let round = 0; round < 15; round++) await cycle()
  const before = residentBytes()
  for (let round = 0; round < 50; round++) await cycle()
  const grown = residentBytes() - before
  t.ok(grown < 24 * MEGABYTE, `grew by ${(grown / MEGABYTE).toFixed(1)} MB; a stage of these has 4 MB`)
})

t.test('sessions that come and go take no new memory', async t => {
  await using fixture = await openTinyChat()
  const engine = await createEngine('capi', { tuning: true })
  await using stage = await engine.loadStage(fixture.init({ first: 0, end: 4 }, { sessionsMax: 2 }))
  const prompt = Uint32Array.from({ length: 400 }, (_, index) => 8 + index)
  const use = async (round: number): Promise<void> => {
    using one = stage.open({ positionsMax: 100 + ((round * 37) % 400) })
    using two = stage.open({ positionsMax: 512 })
    await Promise.all([one.run(prompt.subarray(0, 60 + (round % 40))), two.run(prompt)])
  }
  for (let round = 0; round < 20; round++) await use(round)
  const before = residentBytes()
  for (let round = 0; round < 80; round++) await use(round)
  const grown = residentBytes() - before
  t.ok(grown < 16 * MEGABYTE, `grew by ${(grown / MEGABYTE).toFixed(1)} MB`)
  t.equal(stage.sessionsOpen, 0)
})

/** Bytes of the files below `directory` that this process has in memory. */
async function residentFileBytes(directory: string): Promise<number> {
  const mappings = await memoryMappings()
  return mappings
    .filter(({ path }) => path.includes(directory))
    .reduce((sum, { residentBytes }) => sum + residentBytes, 0)
}

/** Waits until this process has no file below `directory` in memory any more. */
async function untilNoneResident(directory: string): Promise<void> {
  // setTimeout is the test's own, so this cannot pause
  const deadline = performance.now() + 300_000
  for (let bytes = await residentFileBytes(directory); bytes > 0; bytes = await residentFileBytes(directory)) {
    if (performance.now() > deadline) throw new Error(`${bytes} bytes of ${directory} are still in memory`)
  }
}

t.test('an idle stage holds no pages of its weight files', { skip: process.platform !== 'linux' }, async t => {
  await using fixture = await openTinyChat()
  const engine = await createEngine('capi', { tuning: true })
  await using stage = await engine.loadStage(fixture.init({ first: 0, end: 4 }))
  const { manifest } = fixture
  const folder = dirname(fixture.weightPath(manifest.embedding))
  const prompt = Uint32Array.from({ length: 500 }, (_, index) => 8 + index)
  const answer = async (): Promise<Float32Array> => {
    using session = stage.open({ positionsMax: 512 })
    return Float32Array.from(await session.run(prompt))
  }
  const loaded = await residentFileBytes(folder)
  t.ok(loaded < manifest.embedding.bytes, `${loaded} bytes are resident after loading`)
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const before = await answer()
  mock.timers.tick(999)
  t.ok((await residentFileBytes(folder)) > 0, 'rows of the embedding are read from the file')
  mock.timers.tick(1)
  await untilNoneResident(folder)
  t.pass('and let go a second after the last session has ended')
  t.same(await answer(), before, 'the next session computes the same')
  t.equal(stage.sessionsOpen, 0)
})

t.test('a stage left alone frees the slots that wait for sessions', { skip: process.platform !== 'linux' }, async t => {
  await using fixture = await openTinyChat()
  const engine = await createEngine('capi', { tuning: true })
  await using stage = await engine.loadStage(fixture.init({ first: 0, end: 4 }, { sessionsMax: 2 }))
  const { layerCount, kvHeadCount, headDim } = fixture.manifest.config
  const cacheBytes = layerCount * 2 * kvHeadCount * 512 * headDim * Float32Array.BYTES_PER_ELEMENT
  const answer = async (): Promise<Float32Array> => {
    using session = stage.open({ positionsMax: 512 })
    return Float32Array.from(await session.run(Uint32Array.of(1, 4, 17, 335)))
  }
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const before = await answer()
  mock.timers.tick(1000)
  // it computes one position in such a slot before
  await untilNoneResident(dirname(fixture.weightPath(fixture.manifest.embedding)))
  collectGarbage()
  const held = process.memoryUsage().arrayBuffers
  // the collector may come by at any time and take what is not the slot's
  const freed = (): number => held - process.memoryUsage().arrayBuffers
  mock.timers.tick(58_000)
  t.ok(freed() < cacheBytes, 'for a minute they are kept')
  mock.timers.tick(2000)
  t.ok(freed() >= cacheBytes, 'then the memory is free at once')
  t.same(await answer(), before, 'the next session gets a new slot, and computes the same')
})

t.test('measurements are positive and finite, and add up', async t => {
  await using fixture = await openTinyChat()
  const engine = await createEngine('capi', { tuning: true })
  await using pipeline = await Pipeline.load(engine, [2, 4], fixture.init)
  for (const stage of pipeline.stages) {
    const measured = await measureStage(stage)
    t.ok(measured.decodeMsPerLayer > 0 && Number.isFinite(measured.decodeMsPerLayer))
    t.ok(measured.prefillMsPerPositionLayer > 0 && Number.isFinite(measured.prefillMsPerPositionLayer))
    t.equal(measured.fixedMs > 0, stage.last, 'only the last stage has a head')
    const signal = AbortSignal.abort(new Error('not now'))
    await t.rejects(measureStage(stage, { signal }), /not now/)
    t.equal(stage.sessionsOpen, 0)
  }
  const { msPer100M: ms, kernels } = await probeMachine(1)
  t.ok(ms > 0 && Number.isFinite(ms), `${ms} ms per 100 million weights`)
  t.equal((await probeMachine(2)).kernels, kernels, 'threads change no bit')
  t.not((await probeMachine(1, { otherKernels: true })).kernels, kernels)
})
