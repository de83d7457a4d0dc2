import { MeshError } from '@resultity/interface'
import type { RowWindow } from '../row-windows.ts'
import { KvArena } from './kv-arena.ts'
import { KvSlot, type SlotComponents } from './kv-slot.ts'
import { type BoundSteps, StepBindings } from './step-bindings.ts'

/** What a stage has while it has sessions, or had them a moment ago. */
interface Memory {
  readonly arena: KvArena
  readonly steps: StepBindings
  /** By row; those of rows that never had a session are missing. */
  readonly slots: (KvSlot | undefined)[]
}

/**
 * The KV slots of a stage, `sessionsMax` at the most: a row of the arena each. A session takes the lowest free one as its first
 * run begins, so that rows in use lie side by side. Rows are used again, so that sessions coming and going take no new
 * memory.
 */
export class SlotPool implements Disposable {
  readonly #components: SlotComponents
  readonly #rowsTaken = new Set<number>()
  #memory: Memory | undefined
  #sessions = 0

  constructor(components: SlotComponents) {
    this.#components = components
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
   * The lowest free slot. Called between two runs: no session that is over has one then, so there is one for each that is
   * open.
   */
  take(): KvSlot {
    const slot = this.borrow()
    if (slot === undefined) throw new MeshError('internal', 'a session of this stage has no row of its cache')
    return slot
  }

  /** The same for a run that is no session's; undefined where there is none, or nothing has been computed for a while. */
  borrow(): KvSlot | undefined {
    if (this.#memory === undefined) return undefined
    const { arena, slots } = this.#memory
    let row = 0
    while (this.#rowsTaken.has(row)) row++
    if (row >= arena.rows) return undefined
    const slot = slots[row] ?? new KvSlot(this.#components, arena, row)
    slots[row] = slot
    slot.begin()
    this.#rowsTaken.add(row)
    return slot
  }

  /** Takes back what {@link take} or {@link borrow} gave. No run may write to it but as one that is computed along. */
  give(slot: KvSlot): void {
    this.#rowsTaken.delete(slot.row)
    slot.position = 0
  }

  /** A run of several rows that begins now adds a position to this one. @returns which one, 0 where no session has the row */
  stepTogether(row: number): number {
    const slot = this.#memory?.slots[row]
    slot?.stepTogether()
    return slot?.position ?? 0
  }

  /** A binding for a step of several rows. What it is bound to may be written while no run is under way. */
  bindSteps(window: RowWindow): BoundSteps {
    if (this.#memory === undefined) throw new MeshError('internal', 'a stage without a session has a step to compute')
    return this.#memory.steps.bind(window)
  }

  /** Frees the memory of all slots, where no session is open. */
  empty(): void {
    if (this.#sessions === 0 && this.#rowsTaken.size === 0) this[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    const memory = this.#memory
    this.#memory = undefined
    if (memory === undefined) return
    memory.steps[Symbol.dispose]()
    for (const slot of memory.slots) slot?.[Symbol.dispose]()
    memory.arena[Symbol.dispose]()
  }

  #create(): Memory {
    const { runtime, graph, config, shape } = this.#components
    const { sessionsMax, contextLength, cacheLength } = shape
    try {
      using creating = new DisposableStack()
      const arena = creating.use(new KvArena({ runtime, graph, config, rows: sessionsMax, capacity: cacheLength }))
      const steps = new StepBindings(this.#components, arena)
      creating.move()
      return { arena, steps, slots: [] }
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
