import t from 'tap'
import { DEFAULT_AUDIO_LIMITS } from '../src/audio-limits.ts'
import { decodeHere } from './support/decode-here.ts'
import { chunk, wavFile } from './support/wav-file.ts'

const SAMPLES = [0, 0.5, -0.5, 0.25, -1, 0.75]
const decode = async (bytes: Uint8Array<ArrayBuffer>) => await decodeHere(bytes, DEFAULT_AUDIO_LIMITS)

function written(
  bytes: number,
  write: (view: DataView, at: number, sample: number) => void,
  samples = SAMPLES
): Uint8Array {
  const view = new DataView(new ArrayBuffer(bytes * samples.length))
  for (const [index, sample] of samples.entries()) write(view, index * bytes, sample)
  return new Uint8Array(view.buffer)
}

const s16 = written(2, (view, at, sample) => view.setInt16(at, sample * 32_768, true))

t.test('every coding of samples', async t => {
  const codings: [string, number, number, Uint8Array][] = [
    ['pcm_u8', 1, 8, written(1, (view, at, sample) => view.setUint8(at, sample * 128 + 128))],
    ['pcm_s16le', 1, 16, s16],
    [
      'pcm_s24le',
      1,
      24,
      written(3, (view, at, sample) => {
        view.setUint8(at, 0)
        view.setInt16(at + 1, sample * 32_768, true)
      })
    ],
    ['pcm_s32le', 1, 32, written(4, (view, at, sample) => view.setInt32(at, sample * 2 ** 31, true))],
    ['pcm_f32le', 3, 32, written(4, (view, at, sample) => view.setFloat32(at, sample, true))],
    ['pcm_f64le', 3, 64, written(8, (view, at, sample) => view.setFloat64(at, sample, true))]
  ]
  for (const [codec, tag, bits, data] of codings) {
    for (const extensible of [false, true]) {
      const decoded = await decode(wavFile(data, { tag, bits, extensible }))
      t.strictSame([...decoded.samples], SAMPLES, `${codec}, extensible: ${extensible}`)
      t.equal(decoded.codec, codec)
    }
  }
})

t.test('telephones: A-law and µ-law', async t => {
  // quiet, full scale, and minus full scale
  const aLaw = await decode(wavFile(Uint8Array.of(0xd5, 0xaa, 0x2a), { tag: 6, bits: 8 }))
  t.strictSame([...aLaw.samples], [8 / 32_768, 32_256 / 32_768, -32_256 / 32_768])
  const muLaw = await decode(wavFile(Uint8Array.of(0xff, 0x80, 0x00), { tag: 7, bits: 8 }))
  t.strictSame([...muLaw.samples], [0, 32_124 / 32_768, -32_124 / 32_768])
})

t.test('channels become their mean, and what is no number is silence', async t => {
  const data = written(4, (view, at, sample) => view.setFloat32(at, sample, true), [0.5, 0.25, Number.NaN, 0.5, 9, 9])
  const { samples } = await decode(wavFile(data, { tag: 3, bits: 32, channels: 2 }))
  t.strictSame([...samples], [0.375, 0.25, 1])
})

t.test('other chunks, odd ones too, and garbage behind the samples', async t => {
  const before = [chunk('LIST', Buffer.from('odd')), chunk('bext', Buffer.alloc(602))]
  const { samples } = await decode(wavFile(s16, { before, behind: Buffer.from('garbage, of some length') }))
  t.strictSame([...samples], SAMPLES)
})

t.test('a stream does not know its size', async t => {
  for (const dataSize of [0, 0xffff_ffff, 0x7fff_f000]) {
    const { samples } = await decode(wavFile(s16, { dataSize }))
    t.strictSame([...samples], SAMPLES, `${dataSize}`)
  }
})

t.test('what is wrong is told', async t => {
  const faults: [string, Uint8Array<ArrayBuffer>, string | RegExp][] = [
    ['truncated', wavFile(s16, { dataSize: 640_000 }), 'the wav file says it has 20.0 seconds, and has 0.0'],
    ['truncated', wavFile(s16).subarray(0, 36), 'the wav file has no samples'],
    ['damaged', wavFile(s16).subarray(0, 12), 'the wav file has neither a format nor samples'],
    ['empty', wavFile(new Uint8Array(0)), 'the wav file has no samples'],
    ['empty', wavFile(Uint8Array.of(1)), 'the wav file has no samples'],
    ['damaged', wavFile(s16, { channels: 0 }), 'the wav file has no channels'],
    ['unsupported', wavFile(s16, { tag: 0x11, bits: 4 }), /coding 0x11/],
    ['unsupported', wavFile(s16, { bits: 40 }), /40 bits/],
    ['unsupported', wavFile(s16, { rate: 0 }), 'the audio has 0 samples a second; 8000 to 192000 are taken'],
    ['unsupported', wavFile(s16, { rate: 4_000_000_000 }), /4000000000 samples a second/],
    ['unsupported', wavFile(new Uint8Array(40_000), { channels: 20_000 }), /20000 channels; at most 16/]
  ]
  for (const [fault, bytes, message] of faults) {
    await t.rejects(
      decode(bytes),
      { code: 'invalid_request', message, details: { param: 'file', fault } },
      `${message}`
    )
  }
})
