import { KeptPrefix } from './kept-prefix.ts'
import type { PrefixInit } from './port.ts'

/** A row of its own for a session that begins with what is kept. */
export interface ClaimedRow {
  readonly row: number
  /** What is in it, or will be once `copyFrom` has been copied; its session may forget some of it before. */
  readonly prefix: KeptPrefix
  /** Of the prefix, as it was claimed. */
  readonly positions: number
  /** Holds those positions, and does so until {@link CacheRows.unpin}; undefined: they are in `row` already. */
  readonly copyFrom: number | undefined
}

/** A row that no session has, with what one left in it. */
interface LeftRow {
  readonly prefix: KeptPrefix
  readonly leftAtMs: number
}

/** What was left so long ago is not used any more: it is the memory of whoever asked. */
export const PREFIX_KEPT_MS = 10 * 60_000

/**
 * Who has which row of a stage's cache. A session takes the lowest empty row; where none is empty, the one that was left the
 * longest ago. So what sessions leave never keeps another from its row.
 */
export class CacheRows {
  readonly #rows: number
  readonly #now: () => number
  /** Rows of sessions; without a prefix where the session leaves none. */
  readonly #taken = new Map<number, KeptPrefix | undefined>()
  /** In the order in which they were left. */
  readonly #left = new Map<number, LeftRow>()
  /** Rows that are being copied from, and how often. */
  readonly #pinned = new Map<number, number>()

  /** @param now milliseconds, monotonic */
  constructor(rows: number, now: () => number) {
    this.#rows = rows
    this.#now = now
  }

  /** Rows of sessions. */
  get taken(): number {
    return this.#taken.size
  }

  /** Rows in which something is left. */
  get left(): number {
    return this.#left.size
  }

  /** A row for a session that begins with nothing; undefined where all are taken, or copied from. */
  take(prefix?: KeptPrefix): number | undefined {
    const row = this.#empty() ?? this.#leftLongest()
    if (row !== undefined) this.#give(row, prefix)
    return row
  }

  /** The lowest empty row, or one in which something is left, and stays. */
  borrow(): number | undefined {
    return this.#empty() ?? this.#leftLongest()
  }

  /** A row for a session that begins with as much as is there of `wanted`; undefined where that is nothing. */
  claim(wanted: PrefixInit): ClaimedRow | undefined {
    this.#expire()
    const found = this.#longest(wanted)
    if (found === undefined) return undefined
    const { row, common } = found
    const prefix = new KeptPrefix(wanted, common)
    const positions = prefix.positions()
    const left = this.#left.get(row)
    const whole = left !== undefined && left.prefix.count === common && !this.isPinned(row)
    const own = whole ? row : (this.#empty() ?? this.#leftLongest())
    if (own === undefined) return undefined
    this.#give(own, prefix)
    if (own === row) return { row, prefix, positions, copyFrom: undefined }
    this.#pinned.set(row, (this.#pinned.get(row) ?? 0) + 1)
    return { row: own, prefix, positions, copyFrom: row }
  }

  /** What is in it is still to be copied. */
  isPinned(row: number): boolean {
    return this.#pinned.has(row)
  }

  /** What was claimed of this row has been copied, or is wanted no more. */
  unpin(row: number): void {
    const times = (this.#pinned.get(row) ?? 0) - 1
    if (times > 0) this.#pinned.set(row, times)
    else this.#pinned.delete(row)
  }

  /** A session gives its row back. @param prefix what it leaves there; undefined: nothing */
  release(row: number, prefix?: KeptPrefix): void {
    this.#taken.delete(row)
    if (prefix !== undefined && prefix.count > 0) this.#left.set(row, { prefix, leftAtMs: this.#now() })
  }

  /** Nothing is left of this scope. */
  forget(scope: string): void {
    for (const [row, { prefix }] of this.#left) if (prefix.scope === scope) this.#left.delete(row)
  }

  #give(row: number, prefix: KeptPrefix | undefined): void {
    this.#left.delete(row)
    this.#taken.set(row, prefix)
  }

  #empty(): number | undefined {
    for (let row = 0; row < this.#rows; row++) {
      if (!this.#taken.has(row) && !this.#left.has(row) && !this.isPinned(row)) return row
    }
    return undefined
  }

  #leftLongest(): number | undefined {
    for (const row of this.#left.keys()) if (!this.isPinned(row)) return row
    return undefined
  }

  /** The row that has the most blocks in common; of several, one that nobody has, and of these one that has no others. */
  #longest(wanted: PrefixInit): { readonly row: number; readonly common: number } | undefined {
    let found: { readonly row: number; readonly common: number } | undefined
    const look = (row: number, prefix: KeptPrefix | undefined, preferred: boolean): void => {
      const common = prefix?.inCommon(wanted) ?? 0
      if (common > (found?.common ?? 0) || (preferred && common > 0 && common === found?.common))
        found = { row, common }
    }
    for (const [row, prefix] of this.#taken) if (prefix?.settled === true) look(row, prefix, false)
    for (const [row, { prefix }] of this.#left) look(row, prefix, prefix.count === prefix.inCommon(wanted))
    return found
  }

  #expire(): void {
    const oldestMs = this.#now() - PREFIX_KEPT_MS
    for (const [row, { leftAtMs }] of this.#left) if (leftAtMs < oldestMs) this.#left.delete(row)
  }
}
