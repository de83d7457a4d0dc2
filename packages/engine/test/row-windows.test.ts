import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { planWindows, type RowFacts, WINDOW_ROWS_MAX } from '../src/row-windows.ts'

const usual: RowFacts = { alone: () => false, fills: () => true }

t.test('which rows run together', async t => {
  const cases = [
    { id: 'none', rows: [], facts: usual, windows: [] },
    { id: 'neighbours', rows: [2, 3, 4], facts: usual, windows: [{ first: 2, end: 5 }] },
    { id: 'across a small gap', rows: [0, 3], facts: usual, windows: [{ first: 0, end: 4 }] },
    {
      id: 'not across a large one',
      rows: [0, 4, 5],
      facts: usual,
      windows: [
        { first: 0, end: 1 },
        { first: 4, end: 6 }
      ]
    },
    {
      id: 'not across a row that is full',
      rows: [0, 2],
      facts: { ...usual, fills: (row: number) => row !== 1 },
      windows: [
        { first: 0, end: 1 },
        { first: 2, end: 3 }
      ]
    },
    {
      id: 'one by itself',
      rows: [0, 1, 2],
      facts: { alone: (row: number) => row === 1, fills: (row: number) => row > 2 },
      windows: [
        { first: 1, end: 2 },
        { first: 0, end: 1 },
        { first: 2, end: 3 }
      ]
    }
  ]
  for (const { id, rows, facts, windows } of cases) t.same(planWindows(rows, facts), windows, id)
})

t.test('every step runs in just one window, and none is computed with a row that forbids it', async () => {
  const kinds = fc.array(fc.constantFrom('steps', 'alone', 'fills', 'full'), { maxLength: 40 })
  const holds = fc.property(kinds, all => {
    const rows = all.flatMap((kind, row) => (kind === 'steps' || kind === 'alone' ? [row] : []))
    const windows = planWindows(rows, { alone: row => all[row] === 'alone', fills: row => all[row] === 'fills' })
    const covered = windows.map(({ first, end }) => all.slice(first, end))
    const once = rows.every(row => windows.filter(({ first, end }) => row >= first && row < end).length === 1)
    const allowed = covered.every(
      kinds => kinds.length === 1 || kinds.every(kind => kind === 'steps' || kind === 'fills')
    )
    const tight = covered.every(kinds => kinds.at(0) !== 'fills' && kinds.at(-1) !== 'fills')
    const bounded = covered.every(kinds => kinds.length <= WINDOW_ROWS_MAX)
    return once && allowed && tight && bounded
  })
  assertProperty(holds, { numRuns: 500 })
})
