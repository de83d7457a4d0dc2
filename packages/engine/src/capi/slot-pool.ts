import { MeshError } from '@resultity/interface'
import { KvSlot, type SlotComponents } from './kv-slot.ts'

/** Capacities are powers of two from here on, so that a freed slot serves sessions of other lengths too. */
const CAPACITY_MIN = 256

/** The KV slots of a stage: `sessionsMax` at most, reused, so that sessions coming and going take no new memory. */
export class SlotPool implements Disposable {
  readonly #components: SlotComponents
  #free: KvSlot[] = []
  #taken = 0

  constructor(components: SlotComponents) {
    this.#components = components
  }

  get taken(): number {
    return this.#taken
  }

  /** @throws MeshError `resource_exhausted` when all slots are taken */
  take(positionsMax: number): KvSlot {
    const { sessionsMax, contextLength } = this.#components.shape
    if (this.#taken >= sessionsMax) {
      throw new MeshError('resource_exhausted', `all ${sessionsMax} sessions of this stage are open`, {
        hint: 'try again when one has ended',
        details: { sessionsMax }
      })
    }
    const slot = this.#reuse(positionsMax) ?? new KvSlot(this.#components, capacityFor(positionsMax, contextLength))
    this.#taken++
    return slot
  }

  /** Takes a slot back. It must not be in use by a run. */
  give(slot: KvSlot): void {
    this.#taken--
    slot.runOptions.allow()
    this.#free.push(slot)
  }

  /** The smallest free slot that is long enough; if there is none, makes room by freeing the smallest. */
  #reuse(positionsMax: number): KvSlot | undefined {
    this.#free.sort((a, b) => a.capacity - b.capacity)
    const index = this.#free.findIndex(slot => slot.capacity >= positionsMax)
    if (index !== -1) return this.#free.splice(index, 1)[0]
    if (this.#taken + this.#free.length >= this.#components.shape.sessionsMax) this.#free.shift()?.[Symbol.dispose]()
    return undefined
  }

  [Symbol.dispose](): void {
    for (const slot of this.#free.splice(0)) slot[Symbol.dispose]()
  }
}

/** The positions a slot for `positionsMax` has room for. */
export function capacityFor(positionsMax: number, contextLength: number): number {
  return Math.min(contextLength, Math.max(CAPACITY_MIN, 2 ** Math.ceil(Math.log2(positionsMax))))
}
