import type { ClaimedRow } from '../cache-rows.ts'
import { KeptPrefix } from '../kept-prefix.ts'
import type { PrefixInit } from '../port.ts'
import type { KvSlot } from './kv-slot.ts'
import type { SlotPool } from './slot-pool.ts'

/** The row of the cache of one session. It has one from its first run on, or from its opening if it begins with what was kept. */
export class SessionRow {
  readonly #pool: SlotPool
  readonly #claimed: ClaimedRow | undefined
  readonly #prefix: KeptPrefix | undefined
  #slot: KvSlot | undefined
  #leavesPrefix = false

  constructor(pool: SlotPool, wanted: PrefixInit | undefined) {
    this.#pool = pool
    this.#claimed = wanted?.reuse === true ? pool.claim(wanted) : undefined
    this.#prefix = this.#claimed?.prefix ?? (wanted === undefined ? undefined : new KeptPrefix(wanted))
  }

  /** Positions that it begins with. */
  get keptPositions(): number {
    return this.#claimed?.positions ?? 0
  }

  /** Undefined before its first run. */
  get slot(): KvSlot | undefined {
    return this.#slot
  }

  /** What it begins with is in another row yet: {@link fill} has to come before its first run. */
  get isElsewhere(): boolean {
    return this.#claimed !== undefined && this.#pool.awaitsCopy(this.#claimed)
  }

  /** Copies what it begins with, and calls `done`, perhaps at once. No run may be under way. */
  fill(done: () => void): void {
    const pieces = this.#claimed === undefined ? undefined : this.#pool.copy(this.#claimed)
    const next = (): void => {
      if (pieces === undefined || pieces.next().done === true) done()
      else setImmediate(next)
    }
    next()
  }

  /** A run of its session begins at `position`. Called between two runs. */
  begin(position: number): KvSlot {
    if (this.#slot !== undefined) return this.#slot
    const slot = this.#claimed === undefined ? this.#pool.take(this.#prefix) : this.#pool.slotOf(this.#claimed)
    slot.position = position
    this.#slot = slot
    return slot
  }

  /** A run of `count` positions from `position` on is over. */
  ran(position: number, count: number): void {
    if (this.#slot?.isSound(position + count) === true) this.#prefix?.ran(position, count)
  }

  truncate(position: number): void {
    this.#prefix?.truncated(position)
  }

  leavePrefix(): void {
    this.#leavesPrefix = true
  }

  /** Its session is over, and no run is its any more. */
  release(): void {
    if (this.#slot !== undefined) this.#pool.give(this.#slot, this.#leavesPrefix ? this.#prefix : undefined)
    else if (this.#claimed !== undefined) this.#pool.giveUp(this.#claimed)
  }
}
