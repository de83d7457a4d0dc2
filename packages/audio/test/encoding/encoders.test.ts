import { MPEGDecoder } from 'mpg123-decoder'
import { OpusDecoder } from 'opus-decoder'
import t from 'tap'
import { audioFormats, completeWav, createEncoder, EncodingThread, PCM_RATE } from '../../src/index.ts'
import { RateChange } from '../../src/resampling/rate-change.ts'
import { decodeFlac } from './flac-decoder.ts'
import { packetsOf } from './ogg-packets.ts'

const RATE = 22_050
/** Those that are written without ffmpeg. */
const formats = audioFormats.filter(format => format !== 'aac')
const tone = toneOf(3 * RATE + 123, RATE)

function toneOf(length: number, rate: number): Int16Array {
  return Int16Array.from({ length }, (_, at) =>
    Math.round(8000 * Math.sin((2 * Math.PI * 440 * at) / rate) + 3000 * Math.sin((2 * Math.PI * 1500 * at) / rate))
  )
}

async function encode(format: (typeof formats)[number], samples = tone, part = 5000): Promise<Buffer> {
  const encoder = await createEncoder(format, RATE)
  const parts: Uint8Array[] = []
  for (let at = 0; at < samples.length; at += part) parts.push(encoder.encode(samples.subarray(at, at + part)))
  return Buffer.concat([...parts, encoder.finish()])
}

/** Decibels of `wanted` over what `got` differs from it, behind `delay` samples. */
function signalToNoise(wanted: ArrayLike<number>, got: ArrayLike<number>, delay: number): number {
  let signal = 0
  let noise = 0
  for (let at = 2000; at < wanted.length - 2000; at++) {
    signal += (wanted[at] ?? 0) ** 2
    noise += ((wanted[at] ?? 0) - (got[at + delay] ?? 0)) ** 2
  }
  return 10 * Math.log10(signal / Math.max(noise, 1e-9))
}

const bestOf = (wanted: ArrayLike<number>, got: ArrayLike<number>, delays: readonly number[]): number =>
  Math.max(...delays.map(delay => signalToNoise(wanted, got, delay)))

t.test('bare samples are at the rate that clients play them at', async t => {
  const bytes = await encode('pcm')
  t.equal(bytes.length / 2, Math.ceil((tone.length * PCM_RATE) / RATE))
  const got = Int16Array.from({ length: bytes.length / 2 }, (_, at) => bytes.readInt16LE(2 * at))
  t.ok(signalToNoise(toneOf(got.length, PCM_RATE), got, 0) > 60)
})

t.test('a rate is changed the same way however the samples are cut', async t => {
  const whole = new RateChange(16_000, 24_000)
  const once = [...whole.take(tone), ...whole.end()]
  const parts = new RateChange(16_000, 24_000)
  const some = [...parts.take(tone.subarray(0, 7)), ...parts.take(tone.subarray(7, 8)), ...parts.take(tone.subarray(8))]
  t.strictSame([...some, ...parts.end()], once)
  t.equal(once.length, Math.ceil(tone.length * 1.5))
  const same = new RateChange(24_000, 24_000)
  t.strictSame([...same.take(tone), ...same.end()], [...tone])
  const short = new RateChange(48_000, 24_000)
  t.strictSame([short.take(new Int16Array()).length, short.end().length], [0, 0])
})

t.test('a wav file goes on to its end, and a whole one says where that is', async t => {
  const file = await encode('wav')
  t.equal(file.toString('latin1', 0, 4) + file.toString('latin1', 8, 12), 'RIFFWAVE')
  t.strictSame([file.readUInt32LE(4), file.readUInt32LE(24), file.readUInt32LE(40)], [0xffff_ffff, RATE, 0xffff_ffff])
  t.equal(file.length, 44 + 2 * tone.length)
  completeWav(file)
  t.strictSame([file.readUInt32LE(4), file.readUInt32LE(40)], [file.length - 8, file.length - 44])
  t.equal((await encode('wav', new Int16Array())).length, 44)
})

t.test('flac comes back to the last bit, and takes less', async t => {
  const noise = Int16Array.from({ length: 9000 }, (_, at) => ((at * 7919) % 65_536) - 32_768)
  const edges = Int16Array.of(-32_768, 32_767, -32_768, 32_767, 0, -1, 1)
  for (const samples of [tone, noise, edges, new Int16Array(5000), Int16Array.of(5), tone.subarray(0, 4096)]) {
    const decoded = decodeFlac(await encode('flac', samples))
    t.equal(decoded.rate, RATE)
    t.ok(Buffer.from(decoded.samples.buffer).equals(Buffer.from(Int16Array.from(samples).buffer)))
  }
  t.ok((await encode('flac')).length < 1.2 * tone.length)
  t.equal(decodeFlac(await encode('flac', new Int16Array())).samples.length, 0)
})

t.test('opus is as long as what came, in pages whose sums are right', async t => {
  const { packets, granule, pages } = packetsOf(await encode('opus'))
  const [head, tags, ...sound] = packets
  t.equal(Buffer.from(head ?? []).toString('latin1', 0, 8), 'OpusHead')
  t.equal(Buffer.from(tags ?? []).toString('latin1', 0, 8), 'OpusTags')
  const preSkip = Buffer.from(head ?? []).readUInt16LE(10)
  const wanted = Math.ceil((tone.length * 24_000) / RATE)
  t.equal(granule, preSkip + 2 * wanted)
  t.ok(pages > 10, 'it is heard as it comes')
  const decoder = new OpusDecoder({ channels: 1, preSkip: 0, sampleRate: 48_000 })
  await decoder.ready
  const { channelData, samplesDecoded } = decoder.decodeFrames(sound)
  t.ok(samplesDecoded >= granule)
  const got = Array.from(channelData[0] ?? [], sample => 32_768 * sample)
  t.ok(bestOf(toneOf(2 * wanted, 48_000), got, [preSkip - 1, preSkip, preSkip + 1]) > 15)
  decoder.free()
})

t.test('mp3 is what came, at its rate', async t => {
  const decoder = new MPEGDecoder({ enableGapless: false })
  await decoder.ready
  const { channelData, sampleRate } = decoder.decode(await encode('mp3'))
  t.equal(sampleRate, RATE)
  const got = Array.from(channelData[0] ?? [], sample => 32_768 * sample)
  const delays = Array.from({ length: 2500 }, (_, at) => at)
  const near = delays.filter(delay => signalToNoise(tone.subarray(0, 6000), got, delay) > 10)
  t.ok(bestOf(tone, got, near) > 20)
  decoder.free()
})

t.test('a thread writes several files at once, each as it would be alone', async t => {
  await using thread = new EncodingThread()
  const written = await Promise.all(
    formats.map(async format => {
      using writer = thread.open(format, RATE)
      const parts = [await writer.write(tone.subarray(0, 9000)), await writer.write(tone.subarray(9000))]
      return Buffer.concat([...parts, await writer.finish()])
    })
  )
  for (const [index, format] of formats.entries()) {
    const alone = await encode(format, tone, 9000)
    t.equal(written[index]?.length, alone.length, format)
    t.ok(format === 'opus' || format === 'mp3' || written[index]?.equals(alone), format)
  }
  const left = thread.open('mp3', RATE)
  await left.write(tone)
  left[Symbol.dispose]()
  await t.rejects(left.write(tone), { code: 'unavailable' })
})
