/** Rows of the cache that a run covers: `[first, end)`. */
export interface RowWindow {
  readonly first: number
  readonly end: number
}

/** What is known of the rows of a stage's cache. */
export interface RowFacts {
  /** A step of it changes no bit only when it runs by itself. */
  alone(row: number): boolean
  /** It can be computed along: what that puts behind its last position is overwritten by its next step. */
  fills(row: number): boolean
}

/**
 * So many rows in a row that have no step are computed along with their neighbours: a row more costs about a quarter of what a
 * run more does.
 */
const GAP_MAX = 2
/** Rows of a run at the most: for so many it is tested that each has the bits that it has alone. */
export const WINDOW_ROWS_MAX = 16

/**
 * The runs in which the steps of `rows` are computed, given in ascending order. A run covers rows that lie side by side, and
 * every row that steps is in one of them. Pure.
 */
export function planWindows(rows: readonly number[], facts: RowFacts): RowWindow[] {
  const windows: RowWindow[] = []
  let open: RowWindow | undefined
  for (const row of rows) {
    if (facts.alone(row)) {
      windows.push({ first: row, end: row + 1 })
      continue
    }
    if (open !== undefined && row - open.first < WINDOW_ROWS_MAX && bridges(open.end, row, facts)) {
      open = { first: open.first, end: row + 1 }
    } else {
      if (open !== undefined) windows.push(open)
      open = { first: row, end: row + 1 }
    }
  }
  if (open !== undefined) windows.push(open)
  return windows
}

function bridges(end: number, row: number, { fills }: RowFacts): boolean {
  if (row - end > GAP_MAX) return false
  for (let between = end; between < row; between++) if (!fills(between)) return false
  return true
}
