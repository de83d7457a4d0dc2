import { isEncoder, type MeshError } from '@resultity/interface'
import {
  type PlacementPlan,
  type PlacementShortfall,
  type PlannerNode,
  planPlacement,
  repairPlacement
} from '@resultity/planner'
import type { NodeRecord, NodeRegistry } from '../membership/node-registry.ts'
import type { FailureLog } from './failure-log.ts'
import type { LinkLog } from './link-log.ts'
import { estimateNode, HOP_MS } from './node-estimate.ts'
import type { NodeMemory } from './node-memory.ts'
import { shapeOf } from './placeable-model.ts'
import type { Placement } from './placement.ts'
import type { PlacementTable } from './placement-table.ts'
import { layersMissing } from './shortfall.ts'
import type { Target } from './targets.ts'

export interface TargetPlannerComponents {
  readonly registry: NodeRegistry
  readonly table: PlacementTable
  readonly memory: NodeMemory
  readonly failures: FailureLog
  readonly links: LinkLog
}

/** Plans what is to be placed onto the nodes that may serve it, with what is known of them now. */
export class TargetPlanner {
  readonly #components: TargetPlannerComponents

  constructor(components: TargetPlannerComponents) {
    this.#components = components
  }

  /** Nodes of the target's pool that did not fail with its model lately. */
  usableNodes({ model, pool }: Target): NodeRecord[] {
    const { registry, failures } = this.#components
    const nodes = registry.list().filter(node => pool.admits(node))
    return nodes.filter(node => !failures.excludes(node.peerId, model.manifestSha256))
  }

  /** @param placements what takes memory on the nodes; default: all there are */
  plan(
    target: Target,
    stages: 'auto' | number,
    placements: readonly Placement[] = this.#components.table.all()
  ): PlacementPlan | PlacementShortfall {
    const { model } = target
    // an encoder is served whole
    const count = isEncoder(model.manifest) ? 1 : stages
    return planPlacement({
      model: shapeOf(model),
      nodes: this.#nodes(target, placements),
      stages: count,
      hopMs: HOP_MS
    })
  }

  /** The same placement with other nodes in place of those that are gone, as far as there are some. */
  repair({ model, pool, stages }: Placement): PlacementPlan | undefined {
    const nodes = this.#nodes({ model, pool }, this.#components.table.all())
    return repairPlacement({ model: shapeOf(model), stages, nodes, hopMs: HOP_MS })
  }

  /** Whether the layers of `placement` could be served without this node. */
  canDoWithout(placement: Placement, peerId: string): boolean {
    return this.#fitsOn(
      placement,
      this.#nodesBeside(placement).filter(node => node.peerId !== peerId)
    )
  }

  /** Whether it could be served without these two beside each other. */
  canDoWithoutLink(placement: Placement, [one, other]: readonly [string, string]): boolean {
    const nodes = this.#nodesBeside(placement).map(node => {
      if (node.peerId !== one && node.peerId !== other) return node
      return { ...node, avoids: new Set([...(node.avoids ?? []), node.peerId === one ? other : one]) }
    })
    return this.#fitsOn(placement, nodes)
  }

  /** With the memory that they had without `placement`. */
  #nodesBeside(placement: Placement): PlannerNode[] {
    const others = this.#components.table.all().filter(one => one !== placement)
    return this.#nodes(placement, others)
  }

  #fitsOn({ model, stages, purpose }: Placement, nodes: readonly PlannerNode[]): boolean {
    const input = { model: shapeOf(model), stages, nodes, hopMs: HOP_MS }
    if (repairPlacement(input) !== undefined) return true
    const count = isEncoder(model.manifest) ? 1 : purpose === 'default' ? 'auto' : stages.length
    return !('missing' in planPlacement({ ...input, stages: count }))
  }

  /** Why a target cannot be served, as a client is told. */
  layersMissing(target: Target, shortfall: PlacementShortfall): MeshError {
    const { registry, table, failures } = this.#components
    const { model, pool } = target
    return layersMissing({
      model,
      pool,
      shortfall,
      lost: table.lostRanges(model, pool, peerId => registry.get(peerId) !== undefined),
      failure: failures.latest(model.manifestSha256),
      usableCount: this.usableNodes(target).length
    })
  }

  #nodes(target: Target, placements: readonly Placement[]): PlannerNode[] {
    const { memory, links } = this.#components
    return this.usableNodes(target).map(node => {
      const estimate = estimateNode(node, target.model, placements, memory.foreignBytes(node.peerId))
      const avoids = links.avoidedBy(node.peerId)
      return avoids.size === 0 ? estimate : { ...estimate, avoids }
    })
  }
}
