import { readdirSync, readFileSync } from 'node:fs'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { exponential, naturalLog, ofTurns, seventhPower, seventhRoot } from '../src/exact-math.ts'
import { draws, pictureNoise } from '../src/noise.ts'

t.test('logarithms, powers, roots and circles are right to a few units in the last place', async t => {
  const close = (value: number, right: number, unit = Math.abs(right)): boolean =>
    Math.abs(value - right) <= 4 * Number.EPSILON * unit
  assertProperty(
    fc.property(fc.double({ min: 1e-9, max: 1e9, noNaN: true }), value => {
      return close(naturalLog(value), Math.log(value)) && close(seventhPower(seventhRoot(value)), value, 2 * value)
    }),
    { numRuns: 2000 }
  )
  assertProperty(
    fc.property(fc.double({ min: -15, max: 10, noNaN: true }), power => close(exponential(power), Math.exp(power))),
    { numRuns: 2000 }
  )
  assertProperty(
    fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), turns => {
      const { cosine, sine } = ofTurns(turns)
      const angle = 2 * Math.PI * turns
      // the angle itself is rounded in what it is compared with
      return close(cosine, Math.cos(angle), 1) && close(sine, Math.sin(angle), 1)
    }),
    { numRuns: 2000 }
  )
  t.pass('for every sample')
})

t.test('nothing else of Math is used whose last bit a runtime may choose', async t => {
  const folder = new URL('../../src/', import.meta.url)
  for (const file of readdirSync(folder)) {
    const text = readFileSync(new URL(file, folder), 'utf8')
    t.notMatch(text, /Math\.(?!(?:abs|ceil|floor|fround|imul|max|min|round|sqrt|LN2|SQRT1_2|PI)\b)/, file)
    t.notMatch(text.replace(/2n? \*\* /g, ''), /[^/*] \*\* /, `${file} has powers of nothing but 2`)
  }
})

t.test('a draw is normally distributed', async t => {
  const values = pictureNoise(7n, 0)(draws.start, 100_000)
  const moment = (power: number): number => values.reduce((sum, value) => sum + value ** power, 0) / values.length
  t.ok(Math.abs(moment(1)) < 0.01, `mean ${moment(1)}`)
  t.ok(Math.abs(moment(2) - 1) < 0.015, `variance ${moment(2)}`)
  t.ok(Math.abs(moment(3)) < 0.04, `skewness ${moment(3)}`)
  t.ok(Math.abs(moment(4) - 3) < 0.1, `kurtosis ${moment(4)}`)
  const beyond = values.reduce((count, value) => count + (Math.abs(value) > 1.959964 ? 1 : 0), 0)
  t.ok(Math.abs(beyond / values.length - 0.05) < 0.003, `${beyond} beyond what 5 % are beyond`)
})

t.test('a draw is its own, and any length of it begins the same', async t => {
  const noise = pictureNoise(0xffff_ffff_ffff_ffffn, 3)
  const whole = noise(draws.step(5), 1001)
  for (const length of [0, 1, 2, 3, 4, 5, 997]) t.strictSame(noise(draws.step(5), length), whole.slice(0, length))
  const others = [
    noise(draws.step(4), 1001),
    pictureNoise(0xffff_ffff_ffff_ffffn, 2)(draws.step(5), 1001),
    pictureNoise(0xffff_fffen, 3)(draws.step(5), 1001),
    pictureNoise(0xffff_ffffn, 3)(draws.step(5), 1001)
  ]
  for (const other of others) {
    const shared = whole.reduce((count, value, index) => count + (value === other[index] ? 1 : 0), 0)
    t.ok(shared < 5, `${shared} values of 1001 are the same`)
  }
})
