import t from 'tap'
import { DEFAULT_AUDIO_LIMITS } from '../src/audio-limits.ts'
import { measureFile } from '../src/decoding/decode-file.ts'
import { MonoTrack } from '../src/decoding/mono-track.ts'
import type { ForeignContainer } from '../src/decoding/sniff.ts'
import { toldSize } from '../src/decoding/told-size.ts'
import { TrackLength } from '../src/decoding/track-length.ts'
import { decodeHere } from './support/decode-here.ts'
import { fixture, speech } from './support/fixtures.ts'
import { levelOf } from './support/tone.ts'

const decode = async (bytes: Uint8Array<ArrayBuffer>, limits = {}) =>
  await decodeHere(bytes, { ...DEFAULT_AUDIO_LIMITS, ...limits })

interface Tones {
  readonly codec: string
  readonly seconds?: number
  readonly levels: readonly [number, number]
}

/** Half a second each; of two channels each tone has half of its level. */
const BOTH = [0.25, 0.125] as const
const ONE = [0.5, 0] as const
const files: Readonly<Record<string, Tones>> = {
  'tone-44100.mp3': { codec: 'mp3', levels: BOTH },
  // nothing in it says what was added at the ends
  'tone-16000.mp3': { codec: 'mp3', seconds: 0.576, levels: [0.42, 0] },
  'tone-44100.flac': { codec: 'flac', levels: BOTH },
  'tone-96000.flac': { codec: 'flac', seconds: 0.2, levels: ONE },
  'tone-flac.ogg': { codec: 'flac', levels: ONE },
  'tone-vorbis.ogg': { codec: 'vorbis', levels: BOTH },
  'tone-opus.ogg': { codec: 'opus', levels: BOTH },
  'tone-opus.webm': { codec: 'opus', levels: ONE },
  'tone-vorbis.webm': { codec: 'vorbis', levels: ONE },
  'film.webm': { codec: 'opus', levels: ONE }
}

t.test('tones of every format', async t => {
  for (const [name, { codec, seconds = 0.5, levels }] of Object.entries(files)) {
    const decoded = await decode(fixture(name))
    t.equal(decoded.codec, codec, name)
    t.ok(Math.abs(decoded.samples.length / 16_000 - seconds) < 0.02, `${name} lasts ${decoded.samples.length} samples`)
    for (const [index, hertz] of [440, 1000].entries()) {
      const level = levelOf(decoded.samples, hertz)
      t.ok(Math.abs(level - (levels[index] ?? 9)) < 0.02, `${name} has ${hertz} Hz at ${level}`)
    }
    t.ok(levelOf(decoded.samples, 700) < 0.01, `${name} has nothing else`)
    const measured = await measureFile(fixture(name), DEFAULT_AUDIO_LIMITS)
    t.strictSame(measured, { sampleCount: decoded.samples.length }, `${name} is measured as it is decoded`)
  }
})

t.test('speech of a wav and of an mp3 are the same', async t => {
  const { samples } = await decode(fixture('jfk.wav'))
  t.strictSame(samples, speech())
  const mp3 = (await decode(fixture('jfk.mp3'))).samples
  t.equal(mp3.length, 11 * 16_000)
  const error = samples.reduce((sum, sample, at) => sum + (sample - (mp3[at] ?? 9)) ** 2, 0)
  const power = samples.reduce((sum, sample) => sum + sample ** 2, 0)
  t.ok(error < power / 20, 'none is later than the other')
})

t.test('audio that is missing or not decoded is told', async t => {
  const faults: [string, Uint8Array<ArrayBuffer>, RegExp][] = [
    ['no_audio_track', fixture('silent-film.webm'), /the webm file has no audio track/],
    ['unsupported', fixture('tone-opus.mp4'), /mp4 with Opus audio/],
    [
      'unsupported',
      fixture('tone-aac.m4a'),
      /mp4 with AAC audio, which only ffmpeg decodes, and ffmpeg is not set up here/
    ]
  ]
  for (const [fault, bytes, message] of faults) {
    await t.rejects(decode(bytes), { code: 'invalid_request', message, details: { param: 'file', fault } })
  }
})

t.test('a file that was cut off is refused: its end would be missing in silence', async t => {
  for (const name of [
    'jfk.wav',
    'tone-44100.mp3',
    'tone-44100.flac',
    'tone-flac.ogg',
    'tone-vorbis.ogg',
    'tone-opus.ogg',
    'tone-opus.webm',
    'tone-opus.mp4',
    'tone.caf',
    'tone.wma'
  ]) {
    const bytes = fixture(name)
    const cut = decode(bytes.slice(0, Math.floor(bytes.length * 0.7)))
    await t.rejects(cut, { code: 'invalid_request', details: { param: 'file', fault: 'truncated' } }, name)
  }
})

t.test('sizes that ffmpeg does not look at are told', async t => {
  const files: [ForeignContainer, string, number | undefined][] = [
    ['aiff', 'FORM\x00\x00\x01\x00AIFF', 264],
    ['rifx', 'RIFX\x00\x00\x01\x00WAVE', 264],
    ['aiff', 'FORM\x00\x00\x00\x00AIFF', undefined],
    ['rifx', 'RIFX\xff\xff\xff\xffWAVE', undefined],
    ['aiff', 'FORM', undefined],
    ['caf', `caff\x00\x01\x00\x00data\x00\x00\x00\x00\x00\x00\x01\x00${'.'.repeat(9)}`, 276],
    ['caf', `caff\x00\x01\x00\x00data${'\xff'.repeat(8)}..`, undefined],
    ['wma', '0&\xb2u', undefined]
  ]
  for (const [container, text, size] of files) {
    const bytes = new Uint8Array(Buffer.from(text, 'latin1'))
    t.equal(toldSize(bytes, container), size, text)
  }
})

t.test('a flac file that is damaged in one place is refused too', async t => {
  const bytes = fixture('tone-44100.flac')
  bytes.fill(0, 15_000, 15_010)
  await t.rejects(decode(bytes), { code: 'invalid_request', details: { fault: 'damaged' } })
})

t.test('seconds are counted, not believed', async t => {
  await t.rejects(decode(fixture('jfk.mp3'), { secondsMax: 10.9 }), {
    message: 'the audio is longer than 10.9 seconds',
    details: { fault: 'too_long' }
  })
  t.equal((await decode(fixture('jfk.mp3'), { secondsMax: 11 })).samples.length, 176_000)
  const measure = async (secondsMax: number) =>
    await measureFile(fixture('jfk.mp3'), { ...DEFAULT_AUDIO_LIMITS, secondsMax })
  await t.rejects(measure(10.9), { code: 'invalid_request', details: { fault: 'too_long' } })
  t.strictSame(await measure(11), { sampleCount: 176_000 })
})

t.test('sound that is measured is as long as sound that is kept, at any rates', t => {
  const cases: [rate: number, samples: number][][] = [
    [[16_000, 1]],
    [[8000, 1]],
    [[192_000, 13]],
    [[11_025, 4000]],
    [
      [44_100, 1152],
      [44_100, 7],
      [22_050, 576],
      [16_000, 100],
      [44_100, 1]
    ]
  ]
  for (const blocks of cases) {
    const track = new MonoTrack(DEFAULT_AUDIO_LIMITS)
    const length = new TrackLength(DEFAULT_AUDIO_LIMITS)
    for (const [rate, samples] of blocks) {
      const block = { rate, channels: [new Float32Array(samples).fill(0.5)] }
      track.add(block)
      length.add(block)
    }
    const kept = track.end()
    t.equal(length.end(), kept.length, JSON.stringify(blocks))
    t.ok(
      kept.every(sample => sample > 0),
      'and nothing behind it'
    )
  }
  t.throws(() => new TrackLength(DEFAULT_AUDIO_LIMITS).end(), { code: 'invalid_request', details: { fault: 'empty' } })
  t.end()
})

t.test('a header that claims a day of sound costs nothing', async t => {
  const bytes = fixture('tone-44100.flac')
  // samples in all
  new DataView(bytes.buffer).setUint32(22, 0xf000_0000)
  await t.rejects(decode(bytes), { code: 'invalid_request', details: { fault: 'truncated' } })
})
