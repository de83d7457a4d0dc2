import { isEncoder, type MeshError } from '@resultity/interface'
import { type PlacementPlan, type PlacementShortfall, planPlacement, repairPlacement } from '@resultity/planner'
import type { NodeRecord, NodeRegistry } from '../membership/node-registry.ts'
import type { FailureLog } from './failure-log.ts'
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
    const { model, pool, stages, purpose } = placement
    const others = this.#components.table.all().filter(one => one !== placement)
    const nodes = this.#nodes({ model, pool }, others).filter(node => node.peerId !== peerId)
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

  #nodes(target: Target, placements: readonly Placement[]) {
    const { memory } = this.#components
    return this.usableNodes(target).map(node =>
      estimateNode(node, target.model, placements, memory.foreignBytes(node.peerId))
    )
  }
}
