import { join } from 'node:path'
import { writeRandomGguf } from '@resultity/formats'
import t from 'tap'
import { createEngine, type EngineKind } from '../src/index.ts'
import { convertGguf } from './convert-gguf.ts'
import type { Variant } from './quantized-tiny-chat.ts'
import { type Fixture, openTinyChat, Pipeline, type PipelineSession } from './tiny-chat.ts'

/** Eight query heads to a KV head: sessions of a stage with 256 positions attend by groups from position 96 on. */
const SHAPE = {
  layerCount: 3,
  hiddenSize: 256,
  intermediateSize: 512,
  headCount: 16,
  kvHeadCount: 2,
  vocabularySize: 300,
  contextLength: 512,
  tiedEmbedding: true
}

const prompt = Array.from({ length: 90 }, (_, index) => 8 + ((index * 37) % 290))
/** On both sides of the position where groups begin. */
const steps = Array.from({ length: 20 }, (_, index) => 8 + ((index * 53) % 290))

async function openModel(fixture: Fixture): Promise<Variant> {
  const path = join(fixture.workDir, '..', 'groups.gguf')
  await writeRandomGguf(path, { shape: SHAPE, seed: 11, encoding: 'F32' })
  return await convertGguf(path, join(fixture.workDir, '..', 'groups'))
}

async function runSteps(session: PipelineSession): Promise<Float32Array[]> {
  const logits: Float32Array[] = []
  for (const token of steps) logits.push(await session.run([token]))
  return logits
}

function largestDifference(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  return Math.max(
    ...a.flatMap((row, step) => [...row].map((value, id) => Math.abs(value - (b[step]?.[id] ?? Number.NaN))))
  )
}

t.test('attending by groups of heads', async t => {
  await using fixture = await openTinyChat()
  const model = await openModel(fixture)
  const load = async (kind: EngineKind, ends: readonly number[]): Promise<Pipeline> =>
    Pipeline.load(await createEngine(kind), ends, fixture.init, { ...model, sessionsMax: 2, contextLength: 256 })

  await using reference = await load('node', [3])
  using referenceSession = reference.open(256)
  await referenceSession.run(prompt)
  const wanted = await runSteps(referenceSession)

  await using whole = await load('capi', [3])
  using session = whole.open(256)
  await session.run(prompt)
  const found = await runSteps(session)

  await t.test('gives what attending by heads gives', async t => {
    const difference = largestDifference(found, wanted)
    t.ok(difference < 1e-4, `within ${difference}`)
    t.ok(difference > 0, 'by another way')
  })

  await t.test('gives the same bits when the model is cut, and in a reused slot', async t => {
    await using cut = await load('capi', [1, 2, 3])
    for (const round of ['fresh', 'reused']) {
      using cutSession = cut.open(250)
      await cutSession.run(prompt)
      t.same(await runSteps(cutSession), found, round)
    }
  })

  await t.test('forgets what is truncated', async t => {
    for (const part of session.sessions) part.truncate(prompt.length)
    t.same(await runSteps(session), found)
    for (const part of session.sessions) part.truncate(prompt.length + 10)
    const again = []
    for (const token of steps.slice(10)) again.push(await session.run([token]))
    t.same(again, found.slice(10), 'to a position among the groups')
  })

  await t.test('goes on behind runs of several positions, to the end of the cache', async t => {
    const play = async (pipeline: Pipeline): Promise<Float32Array[]> => {
      using played = pipeline.open(256)
      const logits = [await played.run(prompt), ...(await runSteps(played)), await played.run(prompt.slice(0, 7))]
      logits.push(...(await runSteps(played)))
      for (const part of played.sessions) part.truncate(prompt.length + 15)
      logits.push(await played.run(prompt.slice(7, 10)))
      while ((played.sessions[0]?.position ?? 256) < 256) logits.push(await played.run([8 + (logits.length % 290)]))
      return logits
    }
    await using several = await load('capi', [2, 3])
    const difference = largestDifference(await play(several), await play(reference))
    t.ok(difference < 1e-4, `within ${difference}`)
  })

  await t.test('leaves nothing of a run that is withdrawn before it begins', async t => {
    await using shared = await load('capi', [3])
    using busy = shared.open(256)
    using withdrawn = shared.open(256)
    await withdrawn.run(prompt)
    const logits: Float32Array[] = []
    for (const token of steps) {
      // the first of them by groups is the sixth
      const controller = new AbortController()
      // a chunk: the step waits until it is over
      const ahead = busy.run([token, token])
      const part = withdrawn.sessions[0]
      const rejected = t.rejects(async () => void (await part?.run(Uint32Array.of(token), controller)), {
        name: 'AbortError'
      })
      controller.abort()
      await rejected
      await ahead
      logits.push(await withdrawn.run([token]))
    }
    t.same(logits, found)
  })
})
