import { setImmediate } from 'node:timers/promises'

/** A table of numbers, row by row. */
export interface Matrix {
  readonly values: Float32Array
  readonly rows: number
  readonly columns: number
}

export interface AttentionShape {
  readonly heads: number
  readonly tokens: number
  /** Positions of the encoder, all of the window. */
  readonly positions: number
  /** Those that sound fills; what is behind them is silence that was put there. */
  readonly filled: number
}

/** Numbers whose median is taken. */
const MEDIAN_WIDTH = 7

/**
 * How much each token goes with each position of the encoder, as OpenAI's reference has it (`timing.py`, `find_alignment`): each
 * head's weights over the sound that is there, normalised over the tokens, smoothed in time; the mean of the heads.
 *
 * @param weights f32 `[heads, tokens, positions]`, each row a distribution
 * @returns `[tokens, filled]`
 */
export async function tokenAlignment(weights: Float32Array, shape: AttentionShape): Promise<Matrix> {
  const { heads, tokens, positions, filled } = shape
  const mean = new Float32Array(tokens * filled)
  for (let head = 0; head < heads; head++) {
    const own = new Float32Array(tokens * filled)
    for (let token = 0; token < tokens; token++) {
      const from = (head * tokens + token) * positions
      own.set(distribution(weights.subarray(from, from + filled)), token * filled)
    }
    normaliseColumns(own, tokens, filled)
    for (let token = 0; token < tokens; token++) {
      const smooth = medians(own.subarray(token * filled, (token + 1) * filled))
      for (const [index, value] of smooth.entries()) {
        const at = token * filled + index
        mean[at] = (mean[at] ?? 0) + value / heads
      }
    }
    // a head takes milliseconds; others who wait for this thread go between
    await setImmediate()
  }
  return { values: mean, rows: tokens, columns: filled }
}

function distribution(row: Float32Array): Float32Array {
  const sum = row.reduce((total, weight) => total + weight, 0)
  return sum > 0 ? row.map(weight => weight / sum) : row
}

/** Each column gets the mean 0 and the standard deviation 1. */
function normaliseColumns(values: Float32Array, rows: number, columns: number): void {
  for (let column = 0; column < columns; column++) {
    let sum = 0
    for (let row = 0; row < rows; row++) sum += values[row * columns + column] ?? 0
    const mean = sum / rows
    let squares = 0
    for (let row = 0; row < rows; row++) squares += ((values[row * columns + column] ?? 0) - mean) ** 2
    const deviation = Math.sqrt(squares / rows)
    for (let row = 0; row < rows; row++) {
      const at = row * columns + column
      values[at] = deviation > 0 ? ((values[at] ?? 0) - mean) / deviation : 0
    }
  }
}

/** The median of each number and those around it; at the ends, the row is mirrored. */
function medians(row: Float32Array): Float32Array {
  const reach = Math.floor(MEDIAN_WIDTH / 2)
  if (row.length <= reach) return row
  const last = row.length - 1
  const around = new Float32Array(MEDIAN_WIDTH)
  return row.map((_, index) => {
    for (let step = -reach; step <= reach; step++) {
      const at = Math.abs(index + step)
      insert(around, step + reach, row[at > last ? 2 * last - at : at] ?? 0)
    }
    return around[reach] ?? 0
  })
}

/** Puts a number into the first `count`, which are in order. */
function insert(sorted: Float32Array, count: number, value: number): void {
  let at = count
  for (; at > 0 && (sorted[at - 1] ?? 0) > value; at--) sorted[at] = sorted[at - 1] ?? 0
  sorted[at] = value
}

/**
 * Dynamic time warping: the way through a table from its first cell to its last, each step to the next row, the next column or
 * both, whose cells have the highest sum.
 *
 * @returns of each row, the first column that the way touches in it
 */
export function firstColumns({ values, rows, columns }: Matrix): number[] {
  const width = columns + 1
  const costs = new Float32Array((rows + 1) * width).fill(Number.POSITIVE_INFINITY)
  const steps = new Uint8Array((rows + 1) * width).fill(COLUMN, 0, width)
  costs[0] = 0
  for (let row = 1; row <= rows; row++) {
    steps[row * width] = ROW
    for (let column = 1; column <= columns; column++) {
      const at = row * width + column
      const both = costs[at - width - 1] ?? 0
      const nextRow = costs[at - width] ?? 0
      const nextColumn = costs[at - 1] ?? 0
      const step = both <= nextRow && both <= nextColumn ? BOTH : nextRow <= nextColumn ? ROW : COLUMN
      steps[at] = step
      const before = step === BOTH ? both : step === ROW ? nextRow : nextColumn
      costs[at] = before - (values[(row - 1) * columns + column - 1] ?? 0)
    }
  }
  const first = new Array<number>(rows).fill(0)
  for (let row = rows, column = columns; row > 0; ) {
    // the way is walked from its end: the last that is noted of a row is its first
    first[row - 1] = Math.max(0, column - 1)
    const step = steps[row * width + column]
    if (step !== COLUMN) row--
    if (step !== ROW) column--
  }
  return first
}

const BOTH = 0
const ROW = 1
const COLUMN = 2
