import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KokoroManifest, PiperManifest } from '@resultity/interface'
import { TINY_KOKORO_SAMPLES, TINY_SAMPLES, TINY_STYLE_ROWS, tinyKokoro, tinyVoice } from '@resultity/test-nodes'
import { kokoroAt, openKokoro, openPiperVoice } from '@resultity/voice'
import t, { type Test } from 'tap'
import { createEngine, type EngineKind, measureVoice, type Voice } from '../src/index.ts'

interface Loaded {
  readonly voice: Voice
  readonly manifest: PiperManifest
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
  const manifest: PiperManifest = { version: 1, name: 'v', architecture: 'piper', config, layers }
  const engine = await createEngine(kind)
  const voice = await engine.loadVoice({ manifest, threads: 1, spinning: false, weightPath: () => path })
  t.teardown(() => voice[Symbol.asyncDispose]())
  return { voice, manifest, path }
}

/** Kokoro with the speakers af_heart, af_anna and bm_ben, whose styles begin with 1, 0 and 2. */
async function loadKokoro(t: Test, kind: EngineKind): Promise<Voice> {
  const folder = mkdtempSync(join(tmpdir(), 'resultity-voice-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const { onnx, vocabulary, voices } = tinyKokoro()
  mkdirSync(join(folder, 'voices'))
  writeFileSync(join(folder, 'k.onnx'), onnx)
  writeFileSync(join(folder, 'vocab.json'), vocabulary)
  for (const [name, table] of Object.entries(voices)) writeFileSync(join(folder, 'voices', `${name}.bin`), table)
  const files = kokoroAt(folder)
  if (files === undefined) throw new Error('no Kokoro')
  const { config, file, styles } = openKokoro(files)
  const stylesPath = join(folder, 'styles')
  writeFileSync(stylesPath, Buffer.concat([...styles.chunks()]))
  const manifest: KokoroManifest = {
    version: 1,
    name: 'k',
    architecture: 'kokoro',
    config,
    layers: [{ sha256: '0'.repeat(64), ...file.layout }],
    styles: { sha256: '1'.repeat(64), ...styles.layout }
  }
  const weightPath = ({ sha256 }: { readonly sha256: string }) =>
    sha256.startsWith('0') ? join(folder, 'k.onnx') : stylesPath
  const engine = await createEngine(kind)
  const voice = await engine.loadVoice({ manifest, threads: 1, spinning: false, weightPath })
  t.teardown(() => voice[Symbol.asyncDispose]())
  return voice
}

/** What the graph of the tiny Kokoro adds to every sample. */
function levelOf(style: number): number {
  return 0.5 * style * (1 + Math.tanh(0.7978845608 * style + 0.0356774081 * style ** 3))
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

for (const kind of ['capi', 'node'] as const) {
  t.test(`${kind}: Kokoro's style is the speaker's, for as many phonemes as are said`, async t => {
    const voice = await loadKokoro(t, kind)
    const say = (phonemeIds: number[], speaker = 0, lengthScale = 1) => voice.say({ phonemeIds, speaker, lengthScale })
    const levels = [1, 0, 2]
    for (const [speaker, level] of levels.entries()) {
      for (const count of [1, 2, TINY_STYLE_ROWS]) {
        const samples = await say([0, ...Array.from({ length: count }, () => 7), 0], speaker)
        t.equal(samples.length, (count + 2) * TINY_KOKORO_SAMPLES)
        t.ok(Math.abs((samples[0] ?? 9) - levelOf(level + (count - 1) / 1024)) < 1e-4, `${speaker}: ${samples[0]}`)
      }
    }
    t.strictSame(await say([0, 4, 0]), await say([0, 4, 0]), 'the same each time')
    t.equal((await say([0, 4, 0], 0, 2)).length, 6 * TINY_KOKORO_SAMPLES)
    t.equal((await say([0, 4, 0], 0, 0.5)).length, Math.trunc(1.5 * TINY_KOKORO_SAMPLES))
  })

  t.test(`${kind}: Kokoro refuses what it has no style or no memory for`, async t => {
    const voice = await loadKokoro(t, kind)
    const say = (phonemeIds: number[], speaker?: number, lengthScale = 1) =>
      voice.say({ phonemeIds, lengthScale, ...(speaker === undefined ? {} : { speaker }) })
    const ids = (count: number) => Array.from({ length: count }, () => 1)
    for (const wrong of [[], [-1], [1.5], [voice.config.phonemeCount], ids(TINY_STYLE_ROWS + 3)]) {
      await t.rejects(say(wrong), { code: 'invalid_request', details: { param: 'phonemeIds' } })
    }
    // what is said slowly is shorter
    await t.rejects(say(ids(TINY_STYLE_ROWS), 0, 2), { code: 'invalid_request', details: { param: 'phonemeIds' } })
    await t.rejects(say([0, 1, 0], 3), { code: 'invalid_request', details: { param: 'speaker' } })
    t.equal((await say([1])).length, TINY_KOKORO_SAMPLES, 'one phoneme, by the first speaker')
  })
}

t.test('samples that are no numbers are an error of the engine', async t => {
  const { voice } = await load(t, 'capi')
  await t.rejects(voice.say({ phonemeIds: [1], lengthScale: Number.NaN }), { code: 'engine_failed' })
})

t.test('a file that is not as long as the manifest says is not loaded', async t => {
  const { path, manifest: right } = await load(t, 'capi')
  const layers = [{ sha256: '0'.repeat(64), bytes: 10_000, tensors: [] }]
  const manifest: PiperManifest = { ...right, layers }
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
