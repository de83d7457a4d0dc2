import t, { type Test } from 'tap'
import { AudioDecoder, type AudioDecoderInit } from '../src/decoding/audio-decoder.ts'
import { fixture, speech } from './support/fixtures.ts'
import { wavFile } from './support/wav-file.ts'

function decoderFor(t: Test, init: AudioDecoderInit = {}): AudioDecoder {
  const decoder = new AudioDecoder(init)
  t.teardown(() => decoder[Symbol.asyncDispose]())
  return decoder
}

/** Two minutes, which take longer to decode and hear than it takes to look. */
const long = (): Uint8Array<ArrayBuffer> => wavFile(new Uint8Array(2 * 44_100 * 120), { rate: 44_100 })

t.test('a file is decoded in a thread, and speech is found in it', async t => {
  const decoder = decoderFor(t)
  const bytes = fixture('jfk.wav')
  const decoded = await decoder.decode(bytes, { speech: {} })
  t.strictSame(decoded.samples, speech())
  t.match(decoded, { seconds: 4.2, container: 'wav', codec: 'pcm_s16le' })
  t.strictSame(decoded.speech, [
    { start: 4640, end: 35_808 },
    { start: 53_280, end: 60_384 }
  ])
  t.equal(bytes.length, 134_444, 'the caller keeps its bytes')
  t.equal((await decoder.decode(bytes)).speech, undefined, 'not asked for')
})

t.test('a file is measured as it is decoded', async t => {
  const decoder = decoderFor(t)
  t.equal(await decoder.measure(fixture('jfk.wav')), 4.2)
  t.equal(await decoder.measure(fixture('jfk.mp3')), 11)
  const fault = (fault: string) => ({ code: 'invalid_request', details: { param: 'file', fault } })
  await t.rejects(decoder.measure(new Uint8Array([1, 2, 3])), fault('not_audio'))
  await t.rejects(decoder.measure(fixture('tone-aac.m4a')), fault('unsupported'))
  await t.rejects(decoderFor(t, { limits: { bytesMax: 1000 } }).measure(fixture('jfk.wav')), fault('too_large'))
})

t.test('files that are measured leave room for one that is decoded', async t => {
  const decoder = decoderFor(t, { threadsMax: 1, waitingMax: 2 })
  const bytes = fixture('tone-opus.ogg')
  const measured = [decoder.measure(bytes), decoder.measure(bytes)]
  await t.rejects(decoder.measure(bytes), { code: 'resource_exhausted', message: /2 audio files wait/ })
  const { codec, seconds } = await decoder.decode(bytes)
  t.equal(codec, 'opus')
  t.strictSame(await Promise.all(measured), [seconds, seconds])
})

t.test('what is wrong with a file comes back, and the thread goes on', async t => {
  const decoder = decoderFor(t, { threadsMax: 1 })
  const broken = decoder.decode(new Uint8Array([1, 2, 3]))
  const fine = decoder.decode(fixture('tone-opus.ogg'))
  await t.rejects(broken, { code: 'invalid_request', details: { param: 'file', fault: 'not_audio' } })
  t.equal((await fine).codec, 'opus')
})

t.test('more bytes than may be are refused', async t => {
  const decoder = decoderFor(t, { limits: { bytesMax: 1000 } })
  t.equal(decoder.limits.secondsMax, 2 * 3600, 'the other limits stay')
  const message = 'the file has 134444 bytes; at most 1000 are taken'
  await t.rejects(decoder.decode(fixture('jfk.wav')), { message, details: { fault: 'too_large' } })
})

t.test('a file that takes too long ends its thread, and the next one has another', async t => {
  const decoder = decoderFor(t, { threadsMax: 1, deadlineMs: 1 })
  const expected = { code: 'invalid_request', message: /more than 1 ms/, details: { fault: 'too_costly' } }
  await t.rejects(decoder.decode(long(), { speech: {} }), expected)
  await t.rejects(decoder.decode(long(), { speech: {} }), expected)
})

t.test('who gives up ends the work', async t => {
  const decoder = decoderFor(t, { threadsMax: 1 })
  const controller = new AbortController()
  const reason = new Error('nobody waits')
  const abandoned = decoder.decode(long(), { signal: controller.signal, speech: {} })
  const waiting = decoder.decode(long(), { signal: controller.signal })
  const next = decoder.decode(fixture('tone-flac.ogg'))
  controller.abort(reason)
  await t.rejects(abandoned, { message: 'nobody waits' })
  await t.rejects(waiting, reason)
  t.equal((await next).codec, 'flac')
  await t.rejects(decoder.decode(long(), { signal: controller.signal }), reason)
})

t.test('no more files wait than may', async t => {
  const decoder = decoderFor(t, { threadsMax: 2, waitingMax: 1 })
  const bytes = fixture('tone-opus.ogg')
  const taken = Array.from({ length: 4 }, () => decoder.decode(bytes))
  await t.rejects(decoder.decode(bytes), { code: 'resource_exhausted', message: /4 audio files wait/ })
  t.strictSame(
    (await Promise.all(taken)).map(({ codec }) => codec),
    ['opus', 'opus', 'opus', 'opus']
  )
})
