import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { Resampler } from '../src/resampling/resampler.ts'
import { levelOf, sineOf } from './support/tone.ts'

function resampled(samples: Float32Array, rate: number, step = samples.length): Float32Array {
  const resampler = new Resampler(rate)
  const parts: Float32Array[] = []
  for (let at = 0; at < samples.length; at += step) parts.push(resampler.push(samples.subarray(at, at + step)))
  parts.push(resampler.end())
  return Float32Array.from(parts.flatMap(part => [...part]))
}

/** Without the ends, where silence is near. */
const inner = (samples: Float32Array): Float32Array => samples.subarray(1000, samples.length - 1000)

const RATES = [8000, 11_025, 12_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000, 16_001, 44_056]

t.test('a tone stays as loud as it was, and nothing else is heard', async t => {
  for (const rate of RATES) {
    const out = inner(resampled(sineOf(1000, rate, 0.5), rate))
    const expected = sineOf(1000, 16_000, 0.5).subarray(1000)
    const worst = out.reduce((most, sample, at) => Math.max(most, Math.abs(sample - (expected[at] ?? 9))), 0)
    t.ok(worst < 1e-3, `from ${rate} Hz: ${worst}`)
  }
})

t.test('what 16 kHz cannot hold is gone', async t => {
  for (const rate of RATES.filter(rate => rate > 20_000)) {
    const out = inner(resampled(sineOf(9500, rate, 0.5), rate))
    const loudest = out.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0)
    t.ok(loudest < 1e-3, `from ${rate} Hz: ${loudest}`)
  }
})

t.test('low rates get no images', async t => {
  const out = inner(resampled(sineOf(3000, 8000, 0.5), 8000))
  t.ok(levelOf(out, 3000) > 0.99)
  t.ok(levelOf(out, 5000) < 1e-3)
})

t.test('a level stays', async t => {
  for (const rate of RATES) {
    const out = inner(resampled(new Float32Array(rate).fill(0.25), rate))
    t.ok(
      out.every(sample => Math.abs(sample - 0.25) < 1e-5),
      `from ${rate} Hz`
    )
  }
})

t.test('16 kHz is left as it is', async t => {
  const samples = sineOf(1234, 16_000, 0.1)
  t.strictSame(resampled(samples, 16_000, 77), samples)
})

t.test('the length is told, and parts give what the whole gives', async t => {
  assertProperty(
    fc.property(
      fc.integer({ min: 8000, max: 192_000 }),
      fc.integer({ min: 0, max: 3000 }),
      fc.integer({ min: 1, max: 700 }),
      (rate, length, step) => {
        const samples = Float32Array.from({ length }, (_, at) => Math.sin(at * at))
        const whole = resampled(samples, rate)
        const parts = resampled(samples, rate, step)
        const equal = whole.every((sample, at) => sample === parts[at])
        return equal && parts.length === whole.length && whole.length === Math.ceil((length * 16_000) / rate)
      }
    ),
    { numRuns: 60 }
  )
  t.pass('for every sample')
})
