import t from 'tap'
import { batchPlaces } from '../src/work-class.ts'

t.test('batch work leaves a place wherever there are several, and can run where there is one', async t => {
  t.strictSame([0, 1, 2, 3, 4, 8, 16].map(batchPlaces), [0, 1, 1, 2, 3, 6, 12])
  for (let places = 2; places < 200; places++) {
    const taken = batchPlaces(places)
    if (taken < 1 || taken >= places) t.fail(`${taken} of ${places}`)
  }
})
