import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { readHidden, stir, writeHidden } from '../src/memory-model.ts'

t.test(
  'a hidden state carries its state in small whole numbers, and damage to any value makes it another',
  async () => {
    const state = fc.integer({ min: 0, max: 0xffff_ffff })
    const property = fc.property(state, fc.nat(15), fc.integer({ min: 1, max: 255 }), (wanted, index, change) => {
      const hidden = new Float32Array(16)
      writeHidden(wanted, hidden)
      const small = hidden.every(value => Number.isInteger(value) && value >= 0 && value < 256)
      const same = readHidden(hidden) === wanted
      hidden[index] = ((hidden[index] ?? 0) + change) % 256
      return small && same && readHidden(hidden) !== wanted
    })
    await assertProperty(property)
  }
)

t.test('stirring spreads each bit', async t => {
  const results = new Set(Array.from({ length: 1000 }, (_, index) => stir(index, 1)))
  for (let index = 0; index < 1000; index++) results.add(stir(1, index + 2))
  t.equal(results.size, 2000)
})
