import t from 'tap'
import { DEFAULT_AUDIO_LIMITS } from '../../src/audio-limits.ts'
import { littleEndian } from '../../src/encoding/pcm-encoder.ts'
import { wavHead } from '../../src/encoding/wav-head.ts'
import { decodeHere } from '../support/decode-here.ts'

t.test('a wave file is read as it was written, whether or not its length is known', async t => {
  const samples = Float32Array.of(0, 0.5, -0.5, 0.25)
  for (const dataBytes of [8, undefined]) {
    const head = wavHead({ rate: 16_000, ...(dataBytes === undefined ? {} : { dataBytes }) })
    const bytes = new Uint8Array(
      Buffer.concat([head, littleEndian(Int16Array.from(samples, sample => 32_768 * sample))])
    )
    t.strictSame((await decodeHere(bytes, DEFAULT_AUDIO_LIMITS)).samples, samples)
  }
})
