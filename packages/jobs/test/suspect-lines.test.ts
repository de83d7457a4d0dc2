import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { afterDeath, deathsOf, partsOf } from '../src/batches/suspect-lines.ts'

t.test('lines are parted so that the next death names one', async t => {
  const lines = [3, 4, 5, 6, 7].map(number => ({ number }))
  const numbers = (parts: readonly (readonly { number: number }[])[]) =>
    parts.map(part => part.map(({ number }) => number))
  const first = afterDeath({ begun: [4, 5], deaths: { 5: 1 } })
  t.same(first, { begun: null, deaths: { 4: 1, 5: 2 } })
  t.same(numbers(partsOf(lines, first.deaths)), [[3], [4], [5], [6, 7]])
  t.same(numbers(partsOf(lines, {})), [[3, 4, 5, 6, 7]])
  t.same(afterDeath(null), { begun: null, deaths: {} })
  const deaths = fc.dictionary(fc.nat(9).map(String), fc.integer({ min: 1, max: 3 }))
  assertProperty(
    fc.property(fc.uniqueArray(fc.nat(9)), deaths, (some, known) => {
      const all = some.toSorted((a, b) => a - b).map(number => ({ number }))
      const parts = partsOf(all, known)
      const alone = parts.every(part => part.length === 1 || part.every(({ number }) => deathsOf(known, number) === 0))
      return alone && JSON.stringify(parts.flat()) === JSON.stringify(all)
    }),
    { numRuns: 200 }
  )
})
