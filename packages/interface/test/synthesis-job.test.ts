import t from 'tap'
import {
  fromSynthesisResult,
  kokoroConfigSchema,
  piperConfigSchema,
  SENTENCE_SAMPLES_MAX,
  styleBytes,
  synthesisJobSchema,
  toSynthesisResult
} from '../src/index.ts'

t.test('samples come back as they were sent, and what is too loud is clipped', async t => {
  const result = toSynthesisResult(Float32Array.of(0, 1, -1, 2, -2, 0.5), 16_000)
  t.strictSame(fromSynthesisResult(result), Int16Array.of(0, 32_767, -32_767, 32_767, -32_767, 16_384))
  t.equal(fromSynthesisResult({ sampleRate: 1, samples: '' }), undefined)
  t.equal(fromSynthesisResult({ sampleRate: 1, samples: 'AAAA' }), undefined, 'half a sample')
  const long = Buffer.alloc(2 * SENTENCE_SAMPLES_MAX + 2).toString('base64')
  t.equal(fromSynthesisResult({ sampleRate: 1, samples: long }), undefined)
})

t.test('a slow sentence has fewer ids', async t => {
  const job = (count: number, lengthScale: number) =>
    synthesisJobSchema.safeParse({ phonemeIds: Array.from({ length: count }, () => 1), lengthScale }).success
  t.strictSame(
    [job(640, 1), job(641, 1), job(160, 4), job(161, 4), job(640, 0.25), job(0, 1), job(1, 5)],
    [true, false, true, false, true, false, false]
  )
})

t.test('a voice has no ids beyond its phonemes', async t => {
  const config = {
    sampleRate: 22_050,
    language: 'en_US',
    phonemeVoice: 'en-us',
    phonemeIds: { a: [3] },
    phonemeCount: 4,
    noiseScale: 0.667,
    noiseWidth: 0.8,
    lengthScale: 1,
    speakers: {}
  }
  t.ok(piperConfigSchema.safeParse(config).success)
  t.notOk(piperConfigSchema.safeParse({ ...config, phonemeCount: 3 }).success)
  t.notOk(piperConfigSchema.safeParse({ ...config, language: 'english' }).success)
  t.notOk(piperConfigSchema.safeParse({ ...config, sampleRate: 96_000 }).success)
})

t.test('each speaker of Kokoro has a table and a language', async t => {
  const config = {
    sampleRate: 24_000,
    language: 'en_US',
    phonemeIds: { '^': [0], $: [0], a: [3] },
    phonemeCount: 4,
    styleRows: 10,
    styleSize: 8,
    speakers: { af_anna: 0, bm_ben: 1 },
    languages: { af_anna: 'en_US', bm_ben: 'en_GB' }
  }
  t.equal(styleBytes(kokoroConfigSchema.parse(config)), 4 * 2 * 10 * 8)
  for (const wrong of [
    { speakers: {}, languages: {} },
    { speakers: { af_anna: 0, bm_ben: 0 } },
    { speakers: { af_anna: 0, bm_ben: 2 } },
    { languages: { af_anna: 'en_US' } },
    { phonemeCount: 3 },
    { styleRows: 0 }
  ]) {
    t.notOk(kokoroConfigSchema.safeParse({ ...config, ...wrong }).success, JSON.stringify(wrong))
  }
})
