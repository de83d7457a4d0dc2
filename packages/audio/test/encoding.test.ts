import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { DEFAULT_AUDIO_LIMITS } from '../src/audio-limits.ts'
import { decodePcm, encodePcm } from '../src/encoding/pcm.ts'
import { wavHead } from '../src/encoding/wav-head.ts'
import { decodeHere } from './support/decode-here.ts'

t.test('samples of 16 bits come back as they were', async t => {
  assertProperty(
    fc.property(fc.array(fc.integer({ min: -32_768, max: 32_767 })), values => {
      const samples = Float32Array.from(values, value => value / 32_768)
      return decodePcm(encodePcm(samples)).every((sample, at) => sample === samples[at])
    })
  )
  t.strictSame(
    [...encodePcm(Float32Array.of(2, -2, 0.5, 1 / 65_536))],
    [255, 127, 0, 128, 0, 64, 1, 0],
    'cut and rounded'
  )
  t.equal(decodePcm(Uint8Array.of(0, 64, 9)).length, 1, 'half a sample is none')
})

t.test('a wave file is read as it was written, whether or not its length is known', async t => {
  const samples = Float32Array.of(0, 0.5, -0.5, 0.25)
  for (const dataBytes of [8, undefined]) {
    const head = wavHead({ rate: 16_000, ...(dataBytes === undefined ? {} : { dataBytes }) })
    const bytes = new Uint8Array(Buffer.concat([head, encodePcm(samples)]))
    t.strictSame((await decodeHere(bytes, DEFAULT_AUDIO_LIMITS)).samples, samples)
  }
})
