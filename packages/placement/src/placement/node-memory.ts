import type { NodeRecord } from '../membership/node-registry.ts'
import { bytesOn } from './node-estimate.ts'
import type { PlacementTable } from './placement-table.ts'

/**
 * Memory that nodes report as taken and that this coordinator did not assign: taken by other coordinators, or forgotten
 * by this one.
 */
export class NodeMemory {
  readonly #table: PlacementTable
  readonly #foreignBytes = new Map<string, number>()
  /** Placements that a node was told to release, until it says that it did or its advert shows it. */
  readonly #releasing = new Map<string, Set<string>>()

  constructor(table: PlacementTable) {
    this.#table = table
  }

  foreignBytes(peerId: string): number {
    return this.#foreignBytes.get(peerId) ?? 0
  }

  /** Notes the memory figures of an advert. */
  note({ peerId, advert }: NodeRecord): void {
    const served = new Set(advert.stages.map(stage => stage.placementId))
    const releasing = [...(this.#releasing.get(peerId) ?? [])]
    // while a release is in progress, the node still counts memory that is about to be free
    if (releasing.some(placementId => served.has(placementId))) return
    this.#releasing.delete(peerId)
    const usedBytes = advert.memoryOfferedBytes - advert.memoryFreeBytes
    this.#foreignBytes.set(peerId, Math.max(0, usedBytes - bytesOn(peerId, this.#table.all())))
  }

  releaseSent(peerId: string, placementId: string): void {
    this.#releasing.set(peerId, (this.#releasing.get(peerId) ?? new Set()).add(placementId))
  }

  releaseConfirmed(peerId: string, placementId: string): void {
    this.#releasing.get(peerId)?.delete(placementId)
  }

  forget(peerId: string): void {
    this.#foreignBytes.delete(peerId)
    this.#releasing.delete(peerId)
  }
}
