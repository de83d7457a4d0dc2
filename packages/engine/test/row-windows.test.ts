import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { planWindows, WINDOW_ROWS_MAX, type WindowShape, windowOf } from '../src/row-windows.ts'

const usual: WindowShape = { rows: 8, widthMin: 1, alone: () => false }

t.test('which rows run together', async t => {
  const cases = [
    { id: 'none', rows: [], shape: usual, windows: [] },
    { id: 'neighbours', rows: [2, 3, 4], shape: usual, windows: [[2, 5]] },
    { id: 'across a small gap', rows: [0, 3], shape: usual, windows: [[0, 4]] },
    {
      id: 'not across a large one',
      rows: [0, 4, 5],
      shape: usual,
      windows: [
        [0, 1],
        [4, 6]
      ]
    },
    {
      id: 'one by itself',
      rows: [0, 1, 2],
      shape: { ...usual, alone: (row: number) => row === 1 },
      windows: [
        [1, 2],
        [0, 3]
      ]
    },
    {
      id: 'never one where it takes two',
      rows: [0, 7],
      shape: { ...usual, widthMin: 2 },
      windows: [
        [0, 2],
        [6, 8]
      ]
    }
  ]
  for (const { id, rows, shape, windows } of cases) {
    t.same(
      planWindows(rows, shape).map(({ first, end }) => [first, end]),
      windows,
      id
    )
  }
})

t.test('every step runs, in a run that is neither too narrow nor too wide, and in as few as that allows', async () => {
  const kinds = fc.array(fc.constantFrom('steps', 'alone', 'none'), { minLength: 2, maxLength: 40 })
  const holds = fc.property(kinds, fc.constantFrom(1, 2), (all, widthMin) => {
    const steps = all.flatMap((kind, row) => (kind === 'none' ? [] : [row]))
    const shape = { rows: all.length, widthMin, alone: (row: number) => all[row] === 'alone' }
    const windows = planWindows(steps, shape)
    const shared = windows.filter(({ first, end }) => end - first > 1 || !shape.alone(first))
    const served = steps.every(row =>
      (shape.alone(row) ? windows.filter(({ first, end }) => end - first === 1 && first === row) : shared).some(
        ({ first, end }) => row >= first && row < end
      )
    )
    const bounded = shared.every(({ first, end }) => {
      const width = end - first
      return first >= 0 && end <= all.length && width >= widthMin && width <= WINDOW_ROWS_MAX
    })
    const few = windows.length <= steps.length
    return (
      served && bounded && few && steps.every(row => windowOf(row, shape).end - windowOf(row, shape).first === widthMin)
    )
  })
  assertProperty(holds, { numRuns: 500 })
})
