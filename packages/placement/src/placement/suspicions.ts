import { MeshError } from '@resultity/interface'
import type { FailureLog } from './failure-log.ts'
import type { LinkLog } from './link-log.ts'
import type { Placement, StageReport } from './placement.ts'
import type { PlacementTable } from './placement-table.ts'
import type { TargetPlanner } from './target-planner.ts'

export interface SuspicionsComponents {
  readonly table: PlacementTable
  readonly planner: TargetPlanner
  readonly failures: FailureLog
  readonly links: LinkLog
}

/**
 * Takes in what sessions notice before anybody else does, and breaks placements because of it. It breaks only a placement
 * that can do without the suspected node or link: a broken placement without a successor serves nobody.
 */
export class Suspicions {
  readonly #components: SuspicionsComponents

  constructor(components: SuspicionsComponents) {
    this.#components = components
  }

  /**
   * A node does not answer, though it has not left: its layers go to others, and it gets none for a while.
   * @returns false when the placement cannot do without it
   */
  ofNode(peerId: string, placementId: string, why = 'it does not answer'): boolean {
    const { table, planner, failures } = this.#components
    const placement = table.get(placementId)
    // another session has reported it already
    if (placement === undefined || placement.state === 'broken') return true
    if (!planner.canDoWithout(placement, peerId)) return false
    table.lose(placement, peerId, why)
    failures.add(peerId, placement.model.manifestSha256, placement.error)
    return true
  }

  /**
   * Nothing passes between two nodes that are both there: one of them goes, and they are not put beside each other for a
   * while.
   *
   * @returns false when the placement cannot do without that link
   */
  ofLink(from: string, to: string, placementId: string, why = 'nothing came over it in time'): boolean {
    const { table, planner, links } = this.#components
    const placement = table.get(placementId)
    if (placement === undefined || placement.state === 'broken') return true
    if (!planner.canDoWithoutLink(placement, [from, to])) return false
    links.add(from, to, why)
    placement.break(from, new MeshError('node_lost', `nothing passes between it and ${to}: ${why}`))
    return true
  }

  /** A stage that has loaded does not reach the next one. As {@link ofLink}; if there is no other way, the stage keeps trying. */
  ofUnreached(placement: Placement, from: string, { unreachedPeer, error }: StageReport): void {
    if (unreachedPeer === undefined || placement.state !== 'loading') return
    // a node may say that of its own next stage only
    if (placement.nextOf(from)?.peerId !== unreachedPeer) return
    this.ofLink(from, unreachedPeer, placement.id, error?.message)
  }

  /** Breaks placements that still load and of which no node has reported since `sinceMs`: they might load for ever. */
  ofSilence(sinceMs: number, silenceMs: number): void {
    const { table, failures } = this.#components
    for (const placement of table.all()) {
      const silent = placement.silentStage(sinceMs)
      if (silent === undefined) continue
      const what = `it did not say for ${silenceMs} ms how its assignment goes`
      placement.break(silent.peerId, new MeshError('deadline_exceeded', what))
      failures.add(silent.peerId, placement.model.manifestSha256, placement.error)
    }
  }
}
