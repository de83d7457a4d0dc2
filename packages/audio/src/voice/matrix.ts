/** Rows that are multiplied at once: what is multiplied with them is read once for all four. */
const BLOCK = 4

/** A matrix, laid out for products with vectors. */
export interface Matrix {
  /** A multiple of four. */
  readonly rows: number
  readonly columns: number
  /** f32 [rows / 4, columns, 4] */
  readonly values: Float32Array
}

/** @param valueAt what lies where */
export function matrixOf(rows: number, columns: number, valueAt: (row: number, column: number) => number): Matrix {
  if (rows % BLOCK !== 0) throw new RangeError(`a matrix of ${rows} rows is not one of whole blocks of ${BLOCK}`)
  const values = Float32Array.from({ length: rows * columns }, (_, at) => {
    const block = Math.floor(at / (BLOCK * columns))
    return valueAt(block * BLOCK + (at % BLOCK), Math.floor(at / BLOCK) % columns)
  })
  return { rows, columns, values }
}

/**
 * Adds a product to what is there: four sums at once, each of which waits only for its own last product.
 * @param vector f32, from `from` on
 * @param out f32, from `to` on, one for each row
 */
export function addProduct(matrix: Matrix, vector: Float32Array, from: number, out: Float32Array, to: number): void {
  const { rows, columns, values } = matrix
  const end = from + columns
  let next = 0
  for (let row = to; row < to + rows; row += BLOCK) {
    let first = out[row] ?? 0
    let second = out[row + 1] ?? 0
    let third = out[row + 2] ?? 0
    let fourth = out[row + 3] ?? 0
    for (let at = from; at < end; at++) {
      const value = vector[at] ?? 0
      first += (values[next] ?? 0) * value
      second += (values[next + 1] ?? 0) * value
      third += (values[next + 2] ?? 0) * value
      fourth += (values[next + 3] ?? 0) * value
      next += BLOCK
    }
    out[row] = first
    out[row + 1] = second
    out[row + 2] = third
    out[row + 3] = fourth
  }
}

/**
 * As {@link addProduct}, for two vectors, whose sums lie one behind the other: each value of the matrix is read once for
 * both, so that there are more products than reads.
 * @param apart the second vector begins so far behind the first; they may overlap
 */
export function addTwoProducts(
  { rows, columns, values }: Matrix,
  vectors: Float32Array,
  { from, apart }: { readonly from: number; readonly apart: number },
  out: Float32Array,
  to: number
): void {
  const end = from + columns
  let next = 0
  for (let row = to; row < to + rows; row += BLOCK) {
    const other = row + rows
    let a1 = out[row] ?? 0
    let a2 = out[row + 1] ?? 0
    let a3 = out[row + 2] ?? 0
    let a4 = out[row + 3] ?? 0
    let b1 = out[other] ?? 0
    let b2 = out[other + 1] ?? 0
    let b3 = out[other + 2] ?? 0
    let b4 = out[other + 3] ?? 0
    for (let at = from; at < end; at++) {
      const a = vectors[at] ?? 0
      const b = vectors[at + apart] ?? 0
      const w1 = values[next] ?? 0
      const w2 = values[next + 1] ?? 0
      const w3 = values[next + 2] ?? 0
      const w4 = values[next + 3] ?? 0
      a1 += w1 * a
      a2 += w2 * a
      a3 += w3 * a
      a4 += w4 * a
      b1 += w1 * b
      b2 += w2 * b
      b3 += w3 * b
      b4 += w4 * b
      next += BLOCK
    }
    out[row] = a1
    out[row + 1] = a2
    out[row + 2] = a3
    out[row + 3] = a4
    out[other] = b1
    out[other + 1] = b2
    out[other + 2] = b3
    out[other + 3] = b4
  }
}
