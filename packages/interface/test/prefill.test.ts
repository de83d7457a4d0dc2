import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { longestPrefillStep, prefillEnd, sharedPrefillSteps } from '../src/index.ts'

/** Where each step of a prompt ends. */
function ends(promptCount: number, step: number): number[] {
  const all: number[] = []
  for (let at = 0; at < promptCount; at = all.at(-1) ?? promptCount) all.push(prefillEnd(at, promptCount, step))
  return all
}

t.test('steps end at multiples, and what is left over joins the last', t => {
  t.same(ends(1, 64), [1])
  t.same(ends(64, 64), [64])
  t.same(ends(80, 64), [80])
  t.same(ends(81, 64), [64, 81])
  t.same(ends(144, 64), [64, 144])
  t.same(ends(145, 64), [64, 128, 145])
  t.same(ends(4, 1), [1, 2, 3, 4])
  t.same(ends(1000, 64).slice(-2), [960, 1000])
  t.end()
})

t.test('two prompts share all steps but the last of each', t => {
  const count = fc.integer({ min: 1, max: 5000 })
  assertProperty(
    fc.property(count, count, fc.integer({ min: 1, max: 512 }), (one, other, step) => {
      const [short, long] = [ends(Math.min(one, other), step), ends(Math.max(one, other), step)]
      const shared = short.slice(0, -1)
      return (
        short.at(-1) === Math.min(one, other) &&
        shared.every((end, index) => end === (index + 1) * step && end === long[index]) &&
        shared.length === sharedPrefillSteps(Math.min(one, other), step) &&
        short.every((end, index) => end - (short[index - 1] ?? 0) <= longestPrefillStep(step))
      )
    })
  )
  t.end()
})
