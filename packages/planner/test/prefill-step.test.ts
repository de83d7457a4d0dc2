import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { prefillStep } from '../src/index.ts'

t.test('a prompt that is little longer than a step is one step', t => {
  t.equal(prefillStep(1, 128), 1)
  t.equal(prefillStep(128, 128), 128)
  t.equal(prefillStep(129, 128), 129)
  t.equal(prefillStep(144, 128), 144)
  t.equal(prefillStep(145, 128), 73)
  t.equal(prefillStep(5, 1), 1)
  t.end()
})

t.test('steps are alike, no more than they need be, and little longer than asked for', t => {
  const count = fc.integer({ min: 1, max: 100_000 })
  assertProperty(
    fc.property(count, fc.integer({ min: 1, max: 8192 }), (promptCount, positions) => {
      const step = prefillStep(promptCount, positions)
      const steps = Math.ceil(promptCount / step)
      const last = promptCount - (steps - 1) * step
      return (
        step >= 1 &&
        step <= positions * 1.125 &&
        steps <= Math.ceil(promptCount / positions) &&
        last >= 1 &&
        step - last < Math.max(steps, 1)
      )
    })
  )
  t.end()
})
