import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError, type WeightFile } from '@resultity/interface'
import t, { type Test } from 'tap'
import { createEngine } from '../src/index.ts'
import { barkTable, measureBark, saysAlike } from './bark-parity.ts'
import { barkReference, type ConvertedBark, convertBark, endingAs, sentenceOf } from './tiny-bark.ts'

t.test('states behind every layer, tokens and waveforms are those of transformers, and the table says so', async t => {
  const row = await measureBark()
  t.ok(saysAlike(row), JSON.stringify(row))
  const text = await readFile(join(import.meta.dirname, '../../../../docs/speech.md'), 'utf8')
  const [, found] = /<!-- bark:begin -->\n\n(.*?)\n<!-- bark:end -->/s.exec(text) ?? []
  t.equal(found, barkTable(row))
})

async function convert(t: Test): Promise<ConvertedBark> {
  const converted = await convertBark()
  t.teardown(() => converted[Symbol.asyncDispose]())
  return converted
}

for (const kind of ['capi', 'node'] as const) {
  t.test(`${kind}: sentences take turns, the same seed says the same, and one that is aborted makes way`, async t => {
    const { init, manifest, tokenizer } = await convert(t)
    const [, wanted] = (await barkReference()).cases
    if (wanted === undefined) throw new Error('there is no case')
    const voice = await (await createEngine(kind)).loadBark(init({ manifest: endingAs(manifest, wanted) }))
    t.strictSame(tokenizer.encode(wanted.text).slice(1, -1), wanted.ids, 'the tokenizer is that of the reference')
    t.ok((await voice.measure()) > 0)
    const greedy = sentenceOf(manifest, wanted)
    t.strictSame((await voice.tell(greedy)).semantic, wanted.semantic)
    const { temperature: _, ...drawn } = { ...greedy, seed: '18446744073709551615' }
    const warm = { ...drawn, temperature: 1 }
    const both = await Promise.all([voice.say(warm), voice.say(warm)])
    t.strictSame(both[0], both[1])
    t.notSame(await voice.say({ ...warm, sentence: 1 }), both[0])
    const reason = new MeshError('canceled', 'enough')
    const leaving = new AbortController()
    const left = voice.say(warm, { signal: leaving.signal })
    const behind = voice.say(warm)
    leaving.abort(reason)
    await t.rejects(left, { code: 'canceled' })
    t.strictSame(await behind, both[0])
    const wrong = [{ tokens: [] }, { tokens: new Array<number>(13).fill(1) }, { tokens: [5000] }, { speaker: 3 }]
    for (const fields of wrong) await t.rejects(voice.say({ ...warm, ...fields }), { code: 'invalid_request' })
    const last = voice.say(warm)
    await voice[Symbol.asyncDispose]()
    await t.rejects(last, { code: 'unavailable' })
    await t.rejects(voice.say(warm), { code: 'unavailable' })
  })
}

t.test('weights that are none are found by the measurement, files that are missing at once', async t => {
  const { init, manifest } = await convert(t)
  const engine = await createEngine()
  await t.rejects(engine.loadBark(init({ weightPath: () => '/nowhere' })), { code: 'engine_failed' })
  const reason = new MeshError('canceled', 'enough')
  await t.rejects(engine.loadBark(init(), { signal: AbortSignal.abort(reason) }), { code: 'canceled' })
  const last = manifest.layers.at(-1)
  if (last === undefined) throw new Error('there is no codec')
  const path = join(t.testdir({}), last.sha256)
  const bytes = await readFile(init().weightPath(last))
  bytes.fill(0xff)
  await writeFile(path, bytes)
  const weightPath = (file: WeightFile): string => (file === last ? path : init().weightPath(file))
  await using voice = await engine.loadBark(init({ weightPath }))
  await t.rejects(voice.measure(), { code: 'engine_failed', hint: /damaged/ })
})
