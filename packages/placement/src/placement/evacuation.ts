import type { PlacementPlan } from '@resultity/planner'
import type { NodeRegistry } from '../membership/node-registry.ts'
import type { Placement } from './placement.ts'
import type { PlacementTable } from './placement-table.ts'

/** Hears of a placement whose answers are to go on elsewhere, because this node of it is about to leave. */
export type HandoverListener = (placementId: string, peerId: string) => void

export interface EvacuationComponents {
  readonly registry: NodeRegistry
  readonly table: PlacementTable
  /** Another placement that serves the same, or will. */
  standing(placement: Placement): Placement | undefined
  /** What could serve the same beside it, without nodes that are about to leave. */
  plan(placement: Placement): PlacementPlan | undefined
  /** Whether there is another way to serve it once its memory is free. */
  canDoWithout(placement: Placement, peerId: string): boolean
  create(placement: Placement, plan: PlacementPlan): void
}

/**
 * Takes placements off nodes that are about to leave.
 *
 * A placement that nobody uses is broken at once and repaired as if the node had gone. A placement with answers takes no new
 * ones. Another one is made beside it, and once that is ready the answers are told to go on there. Where there is no room for
 * both, the first is released and the answers go on when the second is ready. Where nobody can take the layers, the answers may
 * end where they are.
 */
export class Evacuation {
  readonly #components: EvacuationComponents
  readonly #listeners = new Set<HandoverListener>()
  /** Placements whose answers are to be told, with the node that is about to leave. */
  readonly #handed = new Map<Placement, string>()

  constructor(components: EvacuationComponents) {
    this.#components = components
  }

  /** @returns stops listening */
  onHandover(listener: HandoverListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Looks at all placements. Call {@link tell} after the placements that follow from it are planned. */
  look(): void {
    for (const placement of this.#components.table.all()) {
      if (placement.state === 'broken') continue
      const leaving = placement.stages.find(({ peerId }) => this.#isDraining(peerId))
      if (leaving !== undefined) this.#leave(placement, leaving.peerId)
    }
  }

  /** Tells answers to go on elsewhere. @returns whether any were told; they may have been told too early */
  tell(): boolean {
    for (const [{ id }, peerId] of this.#handed) for (const listener of this.#listeners) listener(id, peerId)
    const told = this.#handed.size > 0
    this.#handed.clear()
    return told
  }

  #leave(placement: Placement, peerId: string): void {
    const { table, standing, plan, canDoWithout, create } = this.#components
    if (placement.state === 'loading' || placement.sessionsOpen === 0) {
      table.lose(placement, peerId, 'it is about to leave')
      return
    }
    if (placement.state === 'ready') placement.drain()
    const other = standing(placement)
    if (other?.state === 'ready') this.#handed.set(placement, peerId)
    if (other !== undefined) return
    const replacement = plan(placement)
    if (replacement !== undefined) create(placement, replacement)
    else if (canDoWithout(placement, peerId)) {
      table.lose(placement, peerId, 'it is about to leave')
      this.#handed.set(placement, peerId)
    }
  }

  #isDraining(peerId: string): boolean {
    return this.#components.registry.get(peerId)?.advert.draining === true
  }
}
