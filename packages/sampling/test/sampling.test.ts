import { isDeepStrictEqual } from 'node:util'
import { GREEDY, MeshError, type Sampling } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { logprobsOf } from '../src/logprobs.ts'
import { argmax, sampleToken } from '../src/sampling.ts'
import { uniformAt } from '../src/uniform.ts'

const finite = fc.float({ noNaN: true, noDefaultInfinity: true, min: -50, max: 50 })
const logitsOf = fc.array(finite, { minLength: 1, maxLength: 300 }).map(values => Float32Array.from(values))
const samplingOf = fc.record({
  temperature: fc.double({ min: 0.01, max: 2, noNaN: true }),
  topP: fc.double({ min: 0.01, max: 1, noNaN: true }),
  seed: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn })
})
const positionOf = fc.nat({ max: 1_000_000 })

t.test('numbers are in [0, 1), evenly spread, and differ by seed and position', async t => {
  const counts = new Array<number>(10).fill(0)
  const seen = new Set<number>()
  for (let position = 0; position < 10_000; position++) {
    const value = uniformAt(7n, position)
    const tenth = Math.floor(value * 10)
    counts[tenth] = (counts[tenth] ?? 0) + 1
    seen.add(value)
  }
  t.equal(seen.size, 10_000)
  t.ok(
    counts.every(count => count > 880 && count < 1120),
    `four standard deviations: ${counts}`
  )
  t.not(uniformAt(7n, 1), uniformAt(8n, 1))
  t.not(uniformAt(1n << 40n, 1), uniformAt(0n, 1), 'the upper half of the seed counts')
})

t.test('greedy takes the highest logit, the lowest id on a tie', async t => {
  t.equal(sampleToken(Float32Array.of(1, 3, 2, 3), GREEDY, 0).token, 1)
  assertProperty(
    fc.property(logitsOf, logits => {
      const token = argmax(logits)
      return logits.every((logit, id) => logit < (logits[token] ?? 0) || (logit === logits[token] && id >= token))
    })
  )
})

t.test('a value that is no number or too high is refused, wherever it stands', async () => {
  assertProperty(
    fc.property(logitsOf, fc.nat(), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY), (logits, place, value) => {
      logits[place % logits.length] = value
      try {
        return argmax(logits) === -1
      } catch (error) {
        return error instanceof MeshError && error.code === 'engine_failed'
      }
    })
  )
})

t.test('the same seed and position draw the same token; it is one of the nucleus', async () => {
  assertProperty(
    fc.property(logitsOf, samplingOf, positionOf, (logits, sampling, position) => {
      const { token } = sampleToken(logits, sampling, position)
      if (sampleToken(logits.slice(), sampling, position).token !== token) return false
      // everything strictly likelier than the drawn token together stays below topP
      const highest = Math.max(...logits)
      const weights = Array.from(logits, logit => Math.exp((logit - highest) / sampling.temperature))
      const total = weights.reduce((sum, weight) => sum + weight, 0)
      const own = weights[token] ?? 0
      const likelier = weights.reduce((sum, weight) => (weight > own ? sum + weight : sum), 0)
      return own > 0 && likelier < sampling.topP * total * (1 + 1e-12)
    })
  )
})

t.test('frequencies follow the probabilities', async t => {
  const probabilities = [0.5, 0.3, 0.15, 0.05]
  const logits = Float32Array.from(probabilities, Math.log)
  const frequencies = (sampling: Sampling): number[] => {
    const counts = [0, 0, 0, 0]
    for (let position = 0; position < 20_000; position++) {
      const { token } = sampleToken(logits, sampling, position)
      counts[token] = (counts[token] ?? 0) + 1
    }
    return counts.map(count => count / 20_000)
  }
  const close = (found: number[], wanted: number[]): boolean =>
    found.every((frequency, id) => Math.abs(frequency - (wanted[id] ?? 0)) < 0.015)
  t.ok(close(frequencies({ temperature: 1, topP: 1, seed: 1n }), probabilities))
  t.ok(close(frequencies({ temperature: 1, topP: 0.7, seed: 2n }), [0.625, 0.375, 0, 0]), 'the tail is cut')
  const squared = [0.25, 0.09, 0.0225, 0.0025].map(weight => weight / 0.365)
  t.ok(close(frequencies({ temperature: 0.5, topP: 1, seed: 3n }), squared), 'half the temperature squares')
})

t.test('a tiny temperature and a tiny nucleus are greedy', async t => {
  const logits = Float32Array.from({ length: 5000 }, (_, id) => Math.sin(id * 1.7) * 10)
  for (const sampling of [
    { temperature: 1e-6, topP: 1, seed: 9n },
    { temperature: 1.5, topP: 1e-9, seed: 9n }
  ]) {
    t.equal(sampleToken(logits, sampling, 3).token, argmax(logits))
  }
})

t.test('logits that are no numbers are refused', async t => {
  const cases = {
    NaN: Float32Array.of(1, Number.NaN, 2),
    'NaN first': Float32Array.of(Number.NaN, 1),
    infinity: Float32Array.of(1, Number.POSITIVE_INFINITY),
    'nothing but -∞': new Float32Array(3).fill(Number.NEGATIVE_INFINITY),
    nothing: new Float32Array(0)
  }
  for (const [name, logits] of Object.entries(cases)) {
    for (const sampling of [GREEDY, { temperature: 1, topP: 0.9, seed: 0n }]) {
      t.throws(() => sampleToken(logits, sampling, 0), { code: 'engine_failed' }, name)
    }
  }
  t.equal(sampleToken(Float32Array.of(Number.NEGATIVE_INFINITY, 0), GREEDY, 0).token, 1, 'a masked token is no error')
  t.throws(() => logprobsOf(Float32Array.of(0, Number.NaN), 0, 1), MeshError)
})

t.test('logprobs are those of the softmax, ranked', async () => {
  assertProperty(
    fc.property(logitsOf, fc.nat({ max: 25 }), (logits, count) => {
      const { token, logprob, top } = logprobsOf(logits, 0, count)
      const highest = Math.max(...logits)
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0)
      const wanted = (logits[0] ?? 0) - highest - Math.log(total)
      const ranking = Array.from(logits, (logit, id) => ({ logit, id })).sort(
        (a, b) => b.logit - a.logit || a.id - b.id
      )
      const best = ranking.slice(0, Math.min(count, 20)).map(entry => entry.id)
      const found = top.map(entry => entry.token)
      return isDeepStrictEqual(found, best) && token === 0 && Math.abs(logprob - wanted) < 1e-9
    }),
    { numRuns: 50 }
  )
})
