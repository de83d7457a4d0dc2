import t from 'tap'
import { philox } from '../src/index.ts'

/** Known answers that the algorithm's authors publish with Random123: counter, key, block. */
const KNOWN = [
  ['00000000 00000000 00000000 00000000', '00000000 00000000', '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
  ['ffffffff ffffffff ffffffff ffffffff', 'ffffffff ffffffff', '408f276d 41c83b0e a20bc7c6 6d5451fd'],
  ['243f6a88 85a308d3 13198a2e 03707344', 'a4093822 299f31d0', 'd16cfe09 94fdcceb 5001e420 24126ea1']
] as const

function words(text: string): number[] {
  return text.split(' ').map(word => Number.parseInt(word, 16))
}

t.test('Philox gives the published blocks', async t => {
  for (const [counter, key, block] of KNOWN) {
    const [c0 = 0, c1 = 0, c2 = 0, c3 = 0] = words(counter)
    const [k0 = 0, k1 = 0] = words(key)
    const out = new Uint32Array(4)
    philox([c0, c1, c2, c3], [k0, k1], out)
    t.strictSame([...out], words(block), counter)
  }
})
