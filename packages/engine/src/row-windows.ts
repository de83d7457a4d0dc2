/** Rows of the cache that a run covers: `[first, end)`. */
export interface RowWindow {
  readonly first: number
  readonly end: number
}

/** What a stage's runs of steps may be. */
export interface WindowShape {
  /** Rows of its cache. */
  readonly rows: number
  /** Fewest rows of a run, where fewer would give other bits: 1 or 2. */
  readonly widthMin: number
  /** A step of this row is no part of a batch, and runs by itself. */
  alone(row: number): boolean
}

/**
 * Rows without a step between two with one, at the most: they are computed along, for a row more costs about a quarter of what
 * a run more does.
 */
const GAP_MAX = 2
/** Rows of a run at the most. As it is loaded, a stage tries every number up to this one: see `capi/row-probe.ts`. */
export const WINDOW_ROWS_MAX = 16

/**
 * The runs in which the steps of `rows` are computed, given in ascending order. A run covers rows that lie side by side, and
 * every row that steps is in one of them, and in others at most as a row that is computed along. Pure.
 */
export function planWindows(rows: readonly number[], shape: WindowShape): RowWindow[] {
  const windows: RowWindow[] = []
  let open: RowWindow | undefined
  const close = (): void => {
    if (open !== undefined) windows.push(widened(open, shape))
  }
  for (const row of rows) {
    if (shape.alone(row)) {
      windows.push({ first: row, end: row + 1 })
    } else if (open !== undefined && row - open.first < WINDOW_ROWS_MAX && row - open.end <= GAP_MAX) {
      open = { first: open.first, end: row + 1 }
    } else {
      close()
      open = { first: row, end: row + 1 }
    }
  }
  close()
  return windows
}

/** The smallest run with the step of `row`. */
export function windowOf(row: number, shape: Pick<WindowShape, 'rows' | 'widthMin'>): RowWindow {
  return widened({ first: row, end: row + 1 }, shape)
}

function widened({ first, end }: RowWindow, { rows, widthMin }: Pick<WindowShape, 'rows' | 'widthMin'>): RowWindow {
  const wider = Math.min(rows, Math.max(end, first + widthMin))
  return { first: Math.max(0, Math.min(first, wider - widthMin)), end: wider }
}
