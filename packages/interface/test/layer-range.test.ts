import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import {
  coversExactly,
  formatRange,
  type LayerRange,
  layerCount,
  layerRangeSchema,
  missingRanges
} from '../src/layer-range.ts'

const LAYERS = 24

const ranges = fc.array(
  fc.tuple(fc.nat(LAYERS - 1), fc.integer({ min: 1, max: LAYERS })).map(([first, count]) => ({
    first,
    end: Math.min(LAYERS, first + count)
  })),
  { maxLength: 6 }
)

function layersOf(list: readonly LayerRange[]): Set<number> {
  return new Set(list.flatMap(range => Array.from({ length: layerCount(range) }, (_, index) => range.first + index)))
}

t.test('what is missing and what is there make up the model, and never overlap', async () => {
  assertProperty(
    fc.property(ranges, there => {
      const missing = missingRanges(there, LAYERS)
      const covered = layersOf(there)
      const lacking = layersOf(missing)
      const inOrder = missing.every((range, index) => index === 0 || range.first > (missing[index - 1]?.end ?? 0))
      return inOrder && covered.size + lacking.size === LAYERS && [...lacking].every(layer => !covered.has(layer))
    })
  )
})

t.test('any cut of a model covers it exactly; one with a gap, an overlap or another order does not', async t => {
  assertProperty(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: LAYERS - 1 }), { maxLength: 6 }), borders => {
      const ends = [...borders.toSorted((a, b) => a - b), LAYERS]
      const cut = ends.map((end, index) => ({ first: ends[index - 1] ?? 0, end }))
      const shorter = cut.map((range, index) => (index === 0 ? { ...range, first: range.first + 1 } : range))
      return coversExactly(cut, LAYERS) && !coversExactly(shorter, LAYERS) && !coversExactly(cut, LAYERS + 1)
    })
  )
  t.notOk(
    coversExactly(
      [
        { first: 2, end: 4 },
        { first: 0, end: 2 }
      ],
      4
    )
  )
  t.notOk(
    coversExactly(
      [
        { first: 0, end: 3 },
        { first: 2, end: 4 }
      ],
      4
    )
  )
  t.ok(coversExactly([], 0))
})

t.test('a range that comes from outside is a range', async t => {
  t.ok(layerRangeSchema.safeParse({ first: 0, end: 1 }).success)
  for (const wrong of [
    { first: 1, end: 1 },
    { first: 2, end: 1 },
    { first: -1, end: 1 },
    { first: 0.5, end: 1 },
    { first: 0, end: 4096 }
  ]) {
    t.notOk(layerRangeSchema.safeParse(wrong).success, JSON.stringify(wrong))
  }
  t.equal(formatRange({ first: 3, end: 9 }), '[3,9)')
})
