import t, { type Test } from 'tap'
import { AudioDecoder } from '../src/decoding/audio-decoder.ts'
import { findFfmpeg } from '../src/ffmpeg/find-ffmpeg.ts'
import { fixture } from './support/fixtures.ts'
import { levelOf } from './support/tone.ts'

// these are the tests of a real ffmpeg; what becomes of one that misbehaves is tested with other programs
const ffmpeg = await findFfmpeg({ searchPath: process.env.PATH })
const skip =
  ffmpeg === undefined ? 'NO FFMPEG ON THIS MACHINE: nothing here shows that it decodes (install ffmpeg)' : false

function decoderFor(t: Test, limits = {}): AudioDecoder {
  const decoder = new AudioDecoder({ ffmpeg: ffmpeg?.file ?? false, limits })
  t.teardown(() => decoder[Symbol.asyncDispose]())
  return decoder
}

/** A tone of 440 Hz each. */
const files = {
  'tone-aac.m4a': { container: 'mp4', codec: 'aac' },
  'tone-alac.m4a': { container: 'mp4', codec: 'alac' },
  'tone-opus.mp4': { container: 'mp4', codec: 'opus' },
  'film.mp4': { container: 'mp4', codec: 'aac' },
  'tone.aac': { container: 'aac', codec: 'aac' },
  'tone.caf': { container: 'caf', codec: 'pcm' },
  'tone.wma': { container: 'wma', codec: 'wma' },
  'tone.wv': { container: 'wavpack', codec: 'wavpack' }
}

t.test('ffmpeg decodes what is not decoded here', { skip }, async t => {
  const decoder = decoderFor(t)
  for (const [name, expected] of Object.entries(files)) {
    const { samples, seconds, speech, ...file } = await decoder.decode(fixture(name), { speech: {} })
    t.strictSame(file, expected, name)
    t.ok(Math.abs(seconds - 0.5) < 0.06, `${name} lasts ${seconds} s`)
    t.strictSame(speech, [], 'a tone is no speech')
    t.equal(await decoder.measure(fixture(name)), seconds, `${name} is measured as it is decoded`)
    const inside = samples.subarray(1600, 6400)
    const level = levelOf(inside, 440)
    t.ok(level > 0.4, `${name} has 440 Hz at ${level}`)
    t.ok(levelOf(inside, 1000) < level / 50, `${name} has nothing else`)
  }
})

t.test('files at once have a process each', { skip }, async t => {
  const decoder = decoderFor(t)
  const decoded = await Promise.all(Array.from({ length: 6 }, () => decoder.decode(fixture('tone-aac.m4a'))))
  t.strictSame(
    decoded.map(({ codec }) => codec),
    Array.from({ length: 6 }, () => 'aac')
  )
})

t.test('seconds are counted', { skip }, async t => {
  const message = 'the audio is longer than 0.3 seconds'
  const expected = { code: 'invalid_request', message, details: { param: 'file', fault: 'too_long' } }
  await t.rejects(decoderFor(t, { secondsMax: 0.3 }).decode(fixture('tone-aac.m4a')), expected)
})

t.test('what ffmpeg cannot decode is refused, with its reason', { skip }, async t => {
  const decoder = decoderFor(t)
  const damaged = fixture('tone-alac.m4a')
  damaged.fill(0xa5, 60, 8000)
  const expected = { code: 'invalid_request', message: /^ffmpeg cannot decode the file, mp4 with Apple/ }
  await t.rejects(decoder.decode(damaged), { ...expected, details: { param: 'file', fault: 'damaged' } })
  const another = fixture('tone-aac.m4a')
  const type = Buffer.from(another.buffer).indexOf('mp4a')
  another.set(Buffer.from('alac'), type)
  await t.rejects(decoder.decode(another), { code: 'invalid_request' })
  const garbage = new Uint8Array(Buffer.concat([fixture('tone.aac').subarray(0, 4), Buffer.alloc(999, 'garbage')]))
  await t.rejects(decoder.decode(garbage), { code: 'invalid_request', details: { param: 'file' } })
})

t.test('ffmpeg opens no file but the one it is given', { skip }, async t => {
  const decoder = decoderFor(t)
  // a playlist that names another file, behind the first bytes of raw AAC and alone
  const list = `#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n`
  await t.rejects(decoder.decode(new Uint8Array(Buffer.from(list))), {
    code: 'invalid_request',
    details: { fault: 'not_audio' }
  })
  const disguised = new Uint8Array(Buffer.from(`\xff\xf1${list}`, 'latin1'))
  await t.rejects(decoder.decode(disguised), { code: 'invalid_request' })
})
