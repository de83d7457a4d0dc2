import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { safeParse } from '../src/safe-parse.ts'
import {
  fromPcm,
  PIECE_SAMPLES_MAX,
  readTranscriptionResult,
  TRANSCRIPTION_RESULT_BYTES_MAX,
  type TranscriptionJob,
  toPcm,
  transcriptionJobSchema
} from '../src/transcription-job.ts'

const job = (changes: Partial<TranscriptionJob>): TranscriptionJob => ({
  pcm: toPcm(Float32Array.of(0, 0.5)),
  task: 'transcribe',
  prompt: [],
  temperatures: [0],
  words: false,
  seed: 1,
  ...changes
})

t.test('samples of 16 bits come back as they were', async () => {
  assertProperty(
    fc.property(fc.array(fc.integer({ min: -32_768, max: 32_767 })), values => {
      const samples = Float32Array.from(values, value => value / 32_768)
      const back = fromPcm(toPcm(samples))
      return (
        back !== undefined && back.length === samples.length && samples.every((value, index) => value === back[index])
      )
    })
  )
})

t.test('samples that are too loud are cut, and half a sample is none', async t => {
  t.strictSame([...(fromPcm(toPcm(Float32Array.of(2, -2))) ?? [])], [32_767 / 32_768, -1])
  t.equal(fromPcm(Buffer.of(1, 2, 3).toString('base64')), undefined)
})

t.test('a piece has 30 s and no more', async t => {
  const of = (samples: number): TranscriptionJob => job({ pcm: toPcm(new Float32Array(samples)) })
  t.ok(safeParse(transcriptionJobSchema, of(PIECE_SAMPLES_MAX)).success)
  t.notOk(safeParse(transcriptionJobSchema, of(PIECE_SAMPLES_MAX + 3)).success)
  t.notOk(safeParse(transcriptionJobSchema, of(0)).success)
})

t.test('what a coordinator must not ask is told apart', async t => {
  const wrong: Readonly<Record<string, Partial<TranscriptionJob>>> = {
    'no base64': { pcm: '????' },
    'a language in capitals': { language: 'DE' },
    'too many tokens': { prompt: new Array<number>(1025).fill(1) },
    'no temperature': { temperatures: [] },
    'too hot': { temperatures: [1.1] },
    'half a seed': { seed: 0.5 }
  }
  for (const [name, changes] of Object.entries(wrong))
    t.notOk(safeParse(transcriptionJobSchema, job(changes)).success, name)
})

t.test('a result is JSON of its form, of bounded length', async t => {
  const read = (text: string) => readTranscriptionResult(new TextEncoder().encode(text))
  const silent = { language: { code: 'en', probability: 1 }, segments: [] }
  t.same(read(JSON.stringify(silent)), silent)
  t.equal(read('{'), undefined)
  t.equal(read('{}'), undefined)
  t.equal(readTranscriptionResult(Uint8Array.of(0xff)), undefined, 'no UTF-8')
  t.equal(read(JSON.stringify({ ...silent, more: 'x'.repeat(TRANSCRIPTION_RESULT_BYTES_MAX) })), undefined)
})
