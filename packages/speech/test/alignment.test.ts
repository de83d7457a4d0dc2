import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { firstColumns, type Matrix, tokenAlignment } from '../src/alignment.ts'

/** The best sum of all ways from the first cell to the last, by trying them. */
function bestSum({ values, rows, columns }: Matrix, row = 0, column = 0): number {
  const own = values[row * columns + column] ?? 0
  const further = [
    [row + 1, column + 1],
    [row + 1, column],
    [row, column + 1]
  ] as const
  const open = further.filter(([r, c]) => r < rows && c < columns)
  return open.length === 0 ? own : own + Math.max(...open.map(([r, c]) => bestSum({ values, rows, columns }, r, c)))
}

t.test('the way follows the highest cells', async t => {
  const values = Float32Array.from([9, 9, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 9, 9])
  t.strictSame(firstColumns({ values, rows: 3, columns: 5 }), [0, 2, 3])
})

t.test('rows are reached in their order, and the way is one of the best', async () => {
  const table = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5 })).chain(([rows, columns]) =>
    fc.array(fc.integer({ min: -9, max: 9 }), { minLength: rows * columns, maxLength: rows * columns }).map(list => ({
      values: Float32Array.from(list),
      rows,
      columns
    }))
  )
  assertProperty(
    fc.property(table, matrix => {
      const first = firstColumns(matrix)
      const ordered = first.every((column, row) => row === 0 || column >= (first[row - 1] ?? 0))
      return ordered && first[0] === 0 && bestThrough(matrix, first) === bestSum(matrix)
    })
  )
})

/** The best sum of the ways that reach each row where `first` says. */
function bestThrough({ values, rows, columns }: Matrix, first: readonly number[]): number {
  let best = 0
  for (let row = 0; row < rows; row++) {
    const from = first[row] ?? 0
    const next = first[row + 1]
    const sum = (to: number): number =>
      values.subarray(row * columns + from, row * columns + to + 1).reduce((a, b) => a + b, 0)
    // a row is left straight down, or down and to the right
    const ends = next === undefined ? [columns - 1] : [next, next - 1].filter(end => end >= from)
    best += Math.max(...ends.map(sum))
  }
  return best
}

t.test(
  'tokens are aligned with the sound that they attend to, and silence that was put there does not count',
  async t => {
    const tokens = 3
    const positions = 60
    const weights = new Float32Array(2 * tokens * positions)
    for (let head = 0; head < 2; head++) {
      for (let token = 0; token < tokens; token++) {
        const row = (head * tokens + token) * positions
        weights.fill(0.05, row + 10 * token, row + 10 * token + 10)
        // half of it looks at the silence
        weights.fill(0.025, row + 40, row + 60)
      }
    }
    const matrix = await tokenAlignment(weights, { heads: 2, tokens, positions, filled: 30 })
    t.same({ rows: matrix.rows, columns: matrix.columns }, { rows: 3, columns: 30 })
    t.strictSame(firstColumns(matrix), [0, 10, 20])
  }
)

t.test('a short piece has fewer positions than the median is wide', async t => {
  const matrix = await tokenAlignment(Float32Array.of(1, 0, 0, 1), { heads: 1, tokens: 2, positions: 2, filled: 2 })
  t.strictSame(firstColumns(matrix), [0, 1])
  const silent = await tokenAlignment(new Float32Array(4), { heads: 1, tokens: 2, positions: 2, filled: 2 })
  t.ok(silent.values.every(Number.isFinite), 'weights of nothing give numbers')
})
