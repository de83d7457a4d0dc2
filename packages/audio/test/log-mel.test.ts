import t from 'tap'
import { logMel, WINDOW_FRAMES, WINDOW_SAMPLES } from '../src/mel/log-mel.ts'
import { MelThread } from '../src/mel/mel-thread.ts'
import { reference, speech } from './support/fixtures.ts'

t.test('a window is what Whisper hears: numpy gives the same', async t => {
  for (const { bins, mean, places } of reference().mels) {
    const mel = logMel(speech(), bins)
    t.equal(mel.length, bins * WINDOW_FRAMES)
    const sum = mel.reduce((total, value) => total + value, 0)
    t.ok(Math.abs(sum / mel.length - mean) < 1e-4, `mean of ${bins} bins`)
    const errors = places.map(([bin, frame, value]) => Math.abs((mel[bin * WINDOW_FRAMES + frame] ?? 9) - value))
    t.ok(Math.max(...errors) < 1e-4, `${places.length} places of ${bins} bins differ by ${Math.max(...errors)}`)
  }
})

t.test('silence is all alike', async t => {
  t.strictSame(new Set(logMel(new Float32Array(0), 80)), new Set([-1.5]))
})

t.test('what is over 30 seconds is not heard', async t => {
  const long = new Float32Array(WINDOW_SAMPLES + 4000).fill(0.5, WINDOW_SAMPLES)
  t.strictSame(new Set(logMel(long, 80)), new Set([-1.5]))
})

t.test('a tone is loudest in its own bin, whatever its frame', async t => {
  const tone = Float32Array.from(
    { length: WINDOW_SAMPLES },
    (_, at) => 0.5 * Math.sin((2 * Math.PI * 1000 * at) / 16_000)
  )
  const mel = logMel(tone, 80)
  const loudestAt = (frame: number): number => {
    const column = Array.from({ length: 80 }, (_, bin) => mel[bin * WINDOW_FRAMES + frame] ?? 0)
    return column.indexOf(Math.max(...column))
  }
  t.strictSame(new Set([10, 11, 1500, 2989].map(loudestAt)).size, 1)
})

t.test('what follows the last sample is silence, wherever that is', async t => {
  for (const length of [1, 159, 200, 361, 16_000, WINDOW_SAMPLES - 201, WINDOW_SAMPLES - 100]) {
    const samples = Float32Array.from({ length }, (_, at) => Math.sin(at * at))
    const padded = new Float32Array(WINDOW_SAMPLES)
    padded.set(samples)
    t.strictSame(logMel(samples, 80), logMel(padded, 80), `${length} samples`)
  }
})

t.test('a thread makes the same spectrogram', async t => {
  await using thread = new MelThread()
  const samples = Float32Array.from({ length: 20_000 }, (_, at) => Math.sin(at / 9))
  const expected = logMel(samples, 80)
  t.strictSame(await thread.logMel(samples, 80), expected)
  const gone = new AbortController()
  gone.abort(new Error('not wanted'))
  await t.rejects(thread.logMel(new Float32Array(10), 80, { signal: gone.signal }), { message: 'not wanted' })
})
