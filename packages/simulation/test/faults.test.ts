import { SeededRandom } from '@resultity/test-mesh'
import t from 'tap'
import { drawFault } from '../src/index.ts'

t.test('every kind of fault is drawn, and only among those who are there', t => {
  const random = new SeededRandom(1)
  const faults = Array.from({ length: 2000 }, () => drawFault(random, 3))
  t.same([...new Set(faults.map(({ type }) => type))].toSorted(), [
    'clock',
    'coordinator',
    'crash',
    'cut',
    'drain',
    'drop',
    'hang',
    'slow',
    'stall',
    'stop'
  ])
  const outside = faults.filter(fault => {
    if ('node' in fault) return fault.node >= 3
    return 'a' in fault && (fault.a === fault.b || fault.a > 3 || fault.b > 3)
  })
  t.same(outside, [])
  t.end()
})
