import { CacheRows, type ClaimedRow, KeptPrefix, type PrefixInit } from '@resultity/engine'
import type { LayerRange } from '@resultity/interface'
import { emptyMemory, type LayerMemory } from './memory-model.ts'

/** What the layers of a stage remember of its sessions, a row for each, as in the arena of a real engine. */
export class MemoryRows {
  readonly #range: LayerRange
  readonly #rows: CacheRows
  readonly #contents = new Map<number, LayerMemory[]>()
  readonly #waiting = new Set<ClaimedRow>()

  /** @param now milliseconds, monotonic */
  constructor(range: LayerRange, sessionsMax: number, now: () => number) {
    this.#range = range
    this.#rows = new CacheRows(sessionsMax, now)
  }

  /** The row of a session that is opened. */
  open(wanted: PrefixInit | undefined): MemoryRow {
    return new MemoryRow(this, wanted)
  }

  forget(scope: string): void {
    this.#rows.forget(scope)
  }

  claim(wanted: PrefixInit): ClaimedRow | undefined {
    const claimed = this.#rows.claim(wanted)
    if (claimed?.copyFrom !== undefined) this.#waiting.add(claimed)
    return claimed
  }

  take(prefix: KeptPrefix | undefined): number {
    const row = this.#rows.take(prefix) ?? this.#takeCopied(prefix)
    if (row === undefined) throw new Error('a session has no row')
    this.#contents.set(row, emptyMemory(this.#range))
    return row
  }

  /** Does what is still to be copied for a session. */
  fill(claimed: ClaimedRow): void {
    const { row, copyFrom, positions } = claimed
    if (!this.#waiting.delete(claimed) || copyFrom === undefined) return
    this.#contents.set(
      row,
      this.contentOf(copyFrom).map(layer => layer.slice(0, positions))
    )
    this.#rows.unpin(copyFrom)
  }

  contentOf(row: number): LayerMemory[] {
    return this.#contents.get(row) ?? emptyMemory(this.#range)
  }

  release(row: number, prefix: KeptPrefix | undefined): void {
    this.#rows.release(row, prefix)
  }

  giveUp(claimed: ClaimedRow): void {
    const { row, copyFrom, prefix } = claimed
    if (this.#waiting.delete(claimed) && copyFrom !== undefined) this.#rows.unpin(copyFrom)
    this.#rows.release(row, copyFrom === undefined ? prefix : undefined)
  }

  #takeCopied(prefix: KeptPrefix | undefined): number | undefined {
    for (const claimed of this.#waiting) this.fill(claimed)
    return this.#rows.take(prefix)
  }
}

/** The row of one session, from its first run on. */
export class MemoryRow {
  readonly #rows: MemoryRows
  readonly #claimed: ClaimedRow | undefined
  readonly #prefix: KeptPrefix | undefined
  #row: number | undefined
  #leavesPrefix = false

  constructor(rows: MemoryRows, wanted: PrefixInit | undefined) {
    this.#rows = rows
    this.#claimed = wanted?.reuse === true ? rows.claim(wanted) : undefined
    this.#prefix = this.#claimed?.prefix ?? (wanted === undefined ? undefined : new KeptPrefix(wanted))
  }

  /** Positions that its session begins with. */
  get keptPositions(): number {
    return this.#claimed?.positions ?? 0
  }

  /** What its layers remember of the first `position` positions, to be added to. */
  layers(position: number): LayerMemory[] {
    if (this.#row === undefined && this.#claimed !== undefined) this.#rows.fill(this.#claimed)
    this.#row ??= this.#claimed?.row ?? this.#rows.take(this.#prefix)
    const layers = this.#rows.contentOf(this.#row)
    for (const layer of layers) layer.length = position
    return layers
  }

  ran(position: number, count: number): void {
    this.#prefix?.ran(position, count)
  }

  truncate(position: number): void {
    this.#prefix?.truncated(position)
  }

  leavePrefix(): void {
    this.#leavesPrefix = true
  }

  release(): void {
    if (this.#row !== undefined) this.#rows.release(this.#row, this.#leavesPrefix ? this.#prefix : undefined)
    else if (this.#claimed !== undefined) this.#rows.giveUp(this.#claimed)
  }
}
