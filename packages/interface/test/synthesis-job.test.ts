import t from 'tap'
import {
  fromSynthesisResult,
  SENTENCE_SAMPLES_MAX,
  synthesisJobSchema,
  toSynthesisResult,
  voiceConfigSchema
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
  t.ok(voiceConfigSchema.safeParse(config).success)
  t.notOk(voiceConfigSchema.safeParse({ ...config, phonemeCount: 3 }).success)
  t.notOk(voiceConfigSchema.safeParse({ ...config, language: 'english' }).success)
  t.notOk(voiceConfigSchema.safeParse({ ...config, sampleRate: 96_000 }).success)
})
