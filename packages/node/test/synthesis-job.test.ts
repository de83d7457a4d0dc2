import { placeableVoice } from '@resultity/test-nodes'
import t from 'tap'
import { parseSynthesisJob, runSynthesisJob } from '../src/synthesis-job.ts'

const bytes = (body: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(body))
const tokens = { tokens: [1, 2], seed: '7', sentence: 0 }

t.test('a sentence is of sounds or of tokens, within limits', async t => {
  t.strictSame(parseSynthesisJob(bytes(tokens)), tokens)
  const sounds = { phonemeIds: [1], lengthScale: 1 }
  t.strictSame(parseSynthesisJob(bytes(sounds)), sounds)
  for (const wrong of [
    {},
    { ...tokens, seed: '18446744073709551616' },
    { ...tokens, seed: '-1' },
    { ...tokens, tokens: [] },
    { ...tokens, tokens: new Array(1025).fill(0) },
    { ...tokens, sentence: -1 },
    { ...tokens, temperature: 3 }
  ]) {
    t.throws(() => parseSynthesisJob(bytes(wrong)), { code: 'protocol_violation' })
  }
})

t.test('a voice that reads sounds is not given tokens', async t => {
  const { manifest } = placeableVoice({})
  if (manifest.architecture !== 'piper') throw new Error('no voice')
  const voice = { say: () => t.fail('it was asked') }
  const ready = { kind: 'voice', voice, manifest }
  const said = Reflect.apply(runSynthesisJob, undefined, [ready, tokens, {}])
  await t.rejects(said, { code: 'invalid_request', message: /does not read what the sentence is written in/ })
})
