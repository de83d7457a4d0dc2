import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { drawn, likeliest, logSumExp } from '../src/token-choice.ts'

const NEVER = Number.NEGATIVE_INFINITY

t.test('the likeliest token is the first of several', async t => {
  t.equal(likeliest(Float32Array.of(NEVER, 2, 5, 5)), 2)
})

t.test('log-sum-exp of large numbers does not overflow, and of none fails', async t => {
  t.ok(Math.abs(logSumExp(Float32Array.of(1000, 1000)) - (1000 + Math.log(2))) < 1e-6)
  t.throws(() => logSumExp(Float32Array.of(NEVER, NEVER)), { code: 'engine_failed' })
  t.throws(() => logSumExp(Float32Array.of(Number.NaN)), { code: 'engine_failed' })
})

t.test('chance goes through the tokens by their shares', async t => {
  // shares 1/4, 1/2, 1/4
  const logits = Float32Array.of(0, NEVER, Math.log(2), 0)
  const at = (chance: number): number => drawn(logits, 1, chance)
  t.strictSame([0, 0.2, 0.3, 0.7, 0.8, 0.9999999].map(at), [0, 0, 2, 2, 3, 3])
})

t.test('a cold draw is the likeliest token', async t => {
  const logits = Float32Array.of(1, 3, 2)
  for (const chance of [0.001, 0.5, 0.999]) t.equal(drawn(logits, 0.01, chance), 1)
})

t.test('a token that may not come is never drawn', async () => {
  const some = fc.array(fc.oneof(fc.constant(NEVER), fc.integer({ min: -30, max: 30 })), { minLength: 1 })
  assertProperty(
    fc.property(some, fc.float({ min: 0, max: Math.fround(0.9999), noNaN: true }), (list, chance) => {
      fc.pre(list.some(logit => logit !== NEVER))
      return list[drawn(Float32Array.from(list), 0.6, chance)] !== NEVER
    })
  )
})
