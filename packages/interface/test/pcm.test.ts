import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { decodePcm, encodePcm } from '../src/pcm.ts'

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
