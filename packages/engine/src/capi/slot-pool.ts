import { MeshError } from '@resultity/interface'
import { CacheRows, type ClaimedRow } from '../cache-rows.ts'
import type { KeptPrefix } from '../kept-prefix.ts'
import type { PrefixInit } from '../port.ts'
import type { RowWindow } from '../row-windows.ts'
import { KvArena } from './kv-arena.ts'
import { KvSlot, type SlotComponents } from './kv-slot.ts'
import { type BoundSteps, StepBindings } from './step-bindings.ts'

/** What a stage has while it has sessions, or had them a moment ago. */
interface Memory {
  readonly arena: KvArena
  readonly rows: CacheRows
  readonly steps: StepBindings
  /** By row; those of rows that never had a session are missing. */
  readonly slots: (KvSlot | undefined)[]
}

/**
 * The KV slots of a stage, `sessionsMax` at the most: a row of the arena each. A session takes the lowest empty one as its first
 * run begins, so that rows in use lie side by side. Rows are used again, so that sessions coming and going take no new
 * memory. What a session leaves in its row is there until the row is wanted, for one that begins alike.
 */
export class SlotPool implements Disposable {
  readonly #components: SlotComponents
  readonly #now: () => number
  /** What is still to be copied. */
  readonly #waiting = new Set<ClaimedRow>()
  /** Computes a step that is no session's. */
  #borrowed = false
  #memory: Memory | undefined
  #sessions = 0

  /** @param now milliseconds, monotonic */
  constructor(components: SlotComponents, now: () => number) {
    this.#components = components
    this.#now = now
  }

  /** Sessions that count. */
  get taken(): number {
    return this.#sessions
  }

  /**
   * There is a session more, which may {@link take} a slot.
   *
   * @throws MeshError `resource_exhausted` when there are as many as there may be
   */
  admit(): void {
    const { sessionsMax } = this.#components.shape
    if (this.#sessions >= sessionsMax) {
      throw new MeshError('resource_exhausted', `all ${sessionsMax} sessions of this stage are open`, {
        hint: 'try again when one has ended',
        details: { sessionsMax }
      })
    }
    this.#memory ??= this.#create()
    this.#sessions++
  }

  /** A session counts no more, even if a run that is under way still uses its slot. */
  vacate(): void {
    this.#sessions--
  }

  /**
   * A slot for a session that begins with nothing. Called between two runs: no session that is over has one then, so there is
   * one for each that is open.
   *
   * @param prefix what the session may leave
   */
  take(prefix?: KeptPrefix): KvSlot {
    const { rows } = this.#required
    let row = rows.take(prefix)
    if (row === undefined) {
      // others wait for what is in the last rows
      for (const claimed of this.#waiting) Array.from(this.copy(claimed) ?? [])
      row = rows.take(prefix)
    }
    if (row === undefined) throw new MeshError('internal', 'a session of this stage has no row of its cache')
    const slot = this.#slot(row)
    slot.begin()
    return slot
  }

  /**
   * A slot for one step that is no session's, and changes nothing of what sessions have left; undefined where all are in use, or
   * nothing has been computed for a while. Called between two runs; no other begins before it is given back.
   */
  borrow(): KvSlot | undefined {
    const row = this.#memory?.rows.borrow()
    if (row === undefined) return undefined
    const slot = this.#slot(row)
    slot.begin(slot.position)
    this.#borrowed = true
    return slot
  }

  /** The step of the slot that was borrowed is over. */
  giveBack(): void {
    this.#borrowed = false
  }

  /** A row for a session that begins with what is there of `wanted`; undefined where that is nothing. */
  claim(wanted: PrefixInit): ClaimedRow | undefined {
    const claimed = this.#memory?.rows.claim(wanted)
    if (claimed?.copyFrom !== undefined) this.#waiting.add(claimed)
    return claimed
  }

  awaitsCopy(claimed: ClaimedRow): boolean {
    return this.#waiting.has(claimed)
  }

  /** Copies what the row is to hold, a piece at a time; undefined where that is there. No run may be under way. */
  copy(claimed: ClaimedRow): Generator<void, void> | undefined {
    const { copyFrom, row, positions } = claimed
    if (copyFrom === undefined || !this.#waiting.delete(claimed)) return undefined
    const { arena, rows } = this.#required
    this.#slot(row).beginWithCopy(positions)
    const unpinned = function* (): Generator<void, void> {
      try {
        yield* arena.copy(copyFrom, row, positions)
      } finally {
        rows.unpin(copyFrom)
      }
    }
    return unpinned()
  }

  /** The slot of a row that was claimed, for the first run of its session. Called between two runs. */
  slotOf({ row, positions, copyFrom }: ClaimedRow): KvSlot {
    const slot = this.#slot(row)
    if (copyFrom === undefined) slot.begin(positions)
    return slot
  }

  /**
   * Takes back what {@link take} or {@link slotOf} gave. No run may write to it but as one that is computed along.
   *
   * @param prefix what the session leaves there
   */
  give(slot: KvSlot, prefix?: KeptPrefix): void {
    const left = prefix !== undefined && slot.isSound(prefix.positions()) ? prefix : undefined
    this.#memory?.rows.release(slot.row, left)
    // steps beside it are computed along behind its position: not where others still copy from
    if (this.#memory?.rows.isPinned(slot.row) !== true) slot.position = left?.positions() ?? 0
  }

  /** The session of this row ends without a run. What was in the row is there again. */
  giveUp(claimed: ClaimedRow): void {
    const { row, prefix, copyFrom } = claimed
    if (this.#waiting.delete(claimed) && copyFrom !== undefined) this.#memory?.rows.unpin(copyFrom)
    this.#memory?.rows.release(row, copyFrom === undefined ? prefix : undefined)
  }

  /** Nothing that sessions of this scope have left is used any more. */
  forget(scope: string): void {
    this.#memory?.rows.forget(scope)
  }

  /** Something is left that a session may begin with. */
  get keeps(): boolean {
    return (this.#memory?.rows.left ?? 0) > 0
  }

  /** A run of several rows that begins now adds a position to this one. @returns which one, 0 where no session has the row */
  stepTogether(row: number): number {
    const slot = this.#memory?.slots[row]
    slot?.stepTogether()
    return slot?.position ?? 0
  }

  /** A binding for a step of several rows. What it is bound to may be written while no run is under way. */
  bindSteps(window: RowWindow): BoundSteps {
    return this.#required.steps.bind(window)
  }

  /** Frees the memory of all slots, where no session is open. */
  empty(): void {
    if (this.#sessions === 0 && !this.#borrowed && (this.#memory?.rows.taken ?? 0) === 0) this[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    const memory = this.#memory
    this.#memory = undefined
    if (memory === undefined) return
    memory.steps[Symbol.dispose]()
    for (const slot of memory.slots) slot?.[Symbol.dispose]()
    memory.arena[Symbol.dispose]()
  }

  get #required(): Memory {
    if (this.#memory === undefined) throw new MeshError('internal', 'a stage without a session has a step to compute')
    return this.#memory
  }

  #slot(row: number): KvSlot {
    const { arena, slots } = this.#required
    const slot = slots[row] ?? new KvSlot(this.#components, arena, row)
    slots[row] = slot
    return slot
  }

  #create(): Memory {
    const { runtime, graph, config, shape } = this.#components
    const { sessionsMax, contextLength, cacheLength } = shape
    try {
      using creating = new DisposableStack()
      const arena = creating.use(new KvArena({ runtime, graph, config, rows: sessionsMax, capacity: cacheLength }))
      const steps = new StepBindings(this.#components, arena)
      creating.move()
      return { arena, rows: new CacheRows(sessionsMax, this.#now), steps, slots: [] }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new MeshError(
        'resource_exhausted',
        `this machine has no memory left for ${sessionsMax} sessions of ${contextLength} positions`,
        { hint: 'offer less memory to the mesh, or serve the model with a shorter context', cause: error }
      )
    }
  }
}
