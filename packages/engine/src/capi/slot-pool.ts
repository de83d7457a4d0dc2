import { MeshError } from '@resultity/interface'
import { KvSlot, type SlotComponents } from './kv-slot.ts'

/** Shortest capacity, and the finest step between capacities. */
const CAPACITY_MIN = 256
/** Capacities between one power of two and the next: enough that little is wasted, few enough that slots are reused. */
const STEPS_PER_DOUBLING = 16

/** The KV slots of a stage: `sessionsMax` at most, reused, so that sessions coming and going take no new memory. */
export class SlotPool implements Disposable {
  readonly #components: SlotComponents
  readonly #free: KvSlot[] = []
  #taken = 0

  constructor(components: SlotComponents) {
    this.#components = components
  }

  get taken(): number {
    return this.#taken
  }

  /** @throws MeshError `resource_exhausted` when all slots are taken */
  take(positionsMax: number): KvSlot {
    const { sessionsMax } = this.#components.shape
    if (this.#taken >= sessionsMax) {
      throw new MeshError('resource_exhausted', `all ${sessionsMax} sessions of this stage are open`, {
        hint: 'try again when one has ended',
        details: { sessionsMax }
      })
    }
    const capacity = capacityFor(positionsMax)
    const slot = this.#reuse(capacity) ?? this.#create(capacity)
    this.#taken++
    return slot
  }

  #create(capacity: number): KvSlot {
    try {
      return new KvSlot(this.#components, capacity)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new MeshError(
        'resource_exhausted',
        `this machine has no memory left for a session of ${capacity} positions`,
        {
          hint: 'offer less memory to the mesh, or open shorter sessions',
          cause: error
        }
      )
    }
  }

  /** A slot that no session has, until it is given back; undefined when there is none. */
  borrow(): KvSlot | undefined {
    return this.#free.pop()
  }

  /**
   * A session that had a slot is over: another may have one, even if a run that is breaking off still uses the former.
   * For that moment there is one more than `sessionsMax`, as a stage runs one at a time.
   */
  vacate(): void {
    this.#taken--
  }

  /** Takes the slot of a session that is over back, or a borrowed one. It must not be in use by a run. */
  give(slot: KvSlot): void {
    const full = this.#taken + this.#free.length >= this.#components.shape.sessionsMax
    if (slot.damaged || full) {
      slot[Symbol.dispose]()
      return
    }
    slot.runOptions.allow()
    this.#free.push(slot)
  }

  /**
   * A free slot of just this capacity, because results may differ in the last bit between capacities; if there is none,
   * makes room by freeing the one that has waited longest.
   */
  #reuse(capacity: number): KvSlot | undefined {
    const index = this.#free.findIndex(slot => slot.capacity === capacity)
    if (index !== -1) return this.#free.splice(index, 1)[0]
    if (this.#taken + this.#free.length >= this.#components.shape.sessionsMax) this.#free.shift()?.[Symbol.dispose]()
    return undefined
  }

  /** Frees the slots that no session has. */
  empty(): void {
    for (const slot of this.#free.splice(0)) slot[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    this.empty()
  }
}

/** The positions a slot for `positionsMax` has room for; follows from that alone, so all stages of a route agree. */
export function capacityFor(positionsMax: number): number {
  const step = Math.max(CAPACITY_MIN, 2 ** Math.floor(Math.log2(positionsMax)) / STEPS_PER_DOUBLING)
  return Math.ceil(positionsMax / step) * step
}
