import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { VoiceManifest } from '@resultity/interface'
import { TINY_SAMPLES, tinyVoice } from '@resultity/test-nodes'
import { openPiperVoice } from '@resultity/voice'
import t, { type Test } from 'tap'
import { createEngine, type EngineKind, measureVoice, type Voice } from '../src/index.ts'

interface Loaded {
  readonly voice: Voice
  readonly path: string
}

async function load(t: Test, kind: EngineKind, speakers = false): Promise<Loaded> {
  const folder = mkdtempSync(join(tmpdir(), 'resultity-voice-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'v.onnx')
  const { onnx, json } = tinyVoice({ speakers })
  writeFileSync(path, onnx)
  writeFileSync(`${path}.json`, json)
  const { config, file } = openPiperVoice(path)
  const layers = [{ sha256: '0'.repeat(64), ...file.layout }]
  const manifest: VoiceManifest = { version: 1, name: 'v', architecture: 'piper', config, layers }
  const engine = await createEngine(kind)
  const voice = await engine.loadVoice({ manifest, threads: 1, spinning: false, weightPath: () => path })
  t.teardown(() => voice[Symbol.asyncDispose]())
  return { voice, path }
}

for (const kind of ['capi', 'node'] as const) {
  t.test(`${kind}: a sentence becomes samples, as many as its length says`, async t => {
    const { voice } = await load(t, kind)
    const ids = [1, 0, 20, 0, 31, 0, 2]
    const samples = await voice.say({ phonemeIds: ids, lengthScale: 1 })
    t.equal(samples.length, ids.length * TINY_SAMPLES)
    const near = samples.every((sample, at) => Math.abs(sample - Math.sin(0.05 * (ids[at % ids.length] ?? 0))) < 1e-5)
    t.ok(near)
    t.equal((await voice.say({ phonemeIds: ids, lengthScale: 2 })).length, 2 * samples.length)
    const both = await Promise.all([3, 5].map(count => voice.say({ phonemeIds: ids.slice(0, count), lengthScale: 1 })))
    t.strictSame(
      both.map(({ length }) => length),
      [3 * TINY_SAMPLES, 5 * TINY_SAMPLES]
    )
    t.ok((await measureVoice(voice)).msPerPhoneme > 0)
  })

  t.test(`${kind}: wrong sentences are refused, and the voice serves on`, async t => {
    const { voice } = await load(t, kind, true)
    const say = (phonemeIds: number[], speaker?: number) =>
      voice.say({ phonemeIds, lengthScale: 1, ...(speaker === undefined ? {} : { speaker }) })
    for (const ids of [[], [128], [-1], [0.5], Array.from({ length: 641 }, () => 1)]) {
      await t.rejects(say(ids), { code: 'invalid_request', details: { param: 'phonemeIds' } })
    }
    await t.rejects(say([1], 3), { code: 'invalid_request', details: { param: 'speaker' } })
    t.equal((await say([1], 2)).length, TINY_SAMPLES)
    t.equal((await say([1])).length, TINY_SAMPLES, 'the first speaker')
    const signal = AbortSignal.abort(new Error('no more'))
    await t.rejects(voice.say({ phonemeIds: [1], lengthScale: 1 }, { signal }), { message: 'no more' })
    await voice[Symbol.asyncDispose]()
    await t.rejects(say([1]), { code: 'unavailable' })
  })
}

t.test('samples that are no numbers are an error of the engine', async t => {
  const { voice } = await load(t, 'capi')
  await t.rejects(voice.say({ phonemeIds: [1], lengthScale: Number.NaN }), { code: 'engine_failed' })
})

t.test('a file that is not as long as the manifest says is not loaded', async t => {
  const { path, voice } = await load(t, 'capi')
  const layers = [{ sha256: '0'.repeat(64), bytes: 10_000, tensors: [] }]
  const manifest: VoiceManifest = { version: 1, name: 'v', architecture: 'piper', config: voice.config, layers }
  const engine = await createEngine()
  const init = { manifest, threads: 1, spinning: false as const, weightPath: () => path }
  await t.rejects(engine.loadVoice(init), { code: 'engine_failed', hint: /fetched anew/ })
  truncateSync(path, 100)
  await t.rejects(
    engine.loadVoice({
      ...init,
      manifest: { ...manifest, layers: [{ ...layers[0], sha256: '0'.repeat(64), bytes: 100, tensors: [] }] }
    }),
    {
      code: 'engine_failed'
    }
  )
  await t.rejects(engine.loadVoice({ ...init, weightPath: () => `${path}.gone` }), { code: 'engine_failed' })
})
