import { isServedWhole, type MeshError, stagesMaxOf } from '@resultity/interface'
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
import type { NodePool } from './node-pool.ts'
import { shapeOf } from './placeable-model.ts'
import type { Placement } from './placement.ts'
import type { PlacementTable } from './placement-table.ts'
import { layersMissing, refuseMoreStagesThanLayers } from './shortfall.ts'
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
  readonly #stages: 'auto' | number

  /** @param stages of every default placement */
  constructor(components: TargetPlannerComponents, stages: 'auto' | number) {
    this.#components = components
    this.#stages = stages
  }

  /** Stages of a target's default placement on the nodes that are there. */
  wantedStages(target: Target): 'auto' | number {
    const { model } = target
    if (stagesMaxOf(model.manifest) === 1) return 1
    // what takes jobs is on one node wherever that has room
    if (isServedWhole(model.manifest)) return 'auto'
    if (this.#stages === 'auto') return 'auto'
    const nodeCount = this.usableNodes(target).length
    return Math.max(1, Math.min(this.#stages, nodeCount, model.manifest.layers.length))
  }

  /** Whether a placement is on nodes of `pool` only, whatever pool it was made for. */
  fits(placement: Placement, pool: NodePool): boolean {
    return placement.stages.every(({ peerId }) => {
      const node = this.#components.registry.get(peerId)
      // only its own pool knows a node that has left, and breaks the placement
      return node === undefined ? placement.pool.key === pool.key : pool.admits(node)
    })
  }

  /** Nodes of the target's pool that stay, and did not fail with its model lately. */
  usableNodes({ model, pool }: Target): NodeRecord[] {
    const { registry, failures } = this.#components
    const nodes = registry.list().filter(node => pool.admits(node) && node.advert.draining !== true)
    return nodes.filter(node => !failures.excludes(node.peerId, model.manifestSha256))
  }

  /** @param placements what takes memory on the nodes; default: all there are */
  plan(
    target: Target,
    stages: 'auto' | number,
    placements: readonly Placement[] = this.#components.table.all()
  ): PlacementPlan | PlacementShortfall {
    const { model } = target
    // some models are not cut
    const count = stagesMaxOf(model.manifest) === 1 ? 1 : stages
    return planPlacement({
      model: shapeOf(model),
      nodes: this.#nodes(target, placements),
      stages: count,
      hopMs: HOP_MS
    })
  }

  /**
   * The plan that would be made if the target's model had no placement.
   *
   * @param stages default: those of the default placement
   * @throws MeshError `layers_missing`; `invalid_request` when there are more stages than layers
   */
  planAnew(target: Target, stages: 'auto' | number = this.wantedStages(target)): PlacementPlan {
    if (typeof stages === 'number') refuseMoreStagesThanLayers(target.model, stages, 'stages')
    const others = this.#components.table.all().filter(({ model }) => model !== target.model)
    const plan = this.plan(target, stages, others)
    if ('missing' in plan) throw this.layersMissing(target, plan)
    return plan
  }

  /** Plans the same placement with other nodes in place of those that are gone. @returns undefined when there are none */
  repair(broken: Placement): PlacementPlan | undefined {
    const { model, stages } = broken
    const nodes = this.#nodes(broken, this.#components.table.all())
    return repairPlacement({ model: shapeOf(model), stages, nodes, hopMs: HOP_MS })
  }

  /**
   * Plans what could replace a placement while it still serves and holds its memory. The nodes that stay keep their layers,
   * and need only one copy for both placements. If that does not work, all is planned anew beside it.
   */
  replace(placement: Placement): PlacementPlan | undefined {
    const { model, stages, purpose } = placement
    const nodes = this.#nodes(placement, this.#components.table.all())
    const repaired = repairPlacement({ model: shapeOf(model), stages, nodes, hopMs: HOP_MS, loaded: true })
    if (repaired !== undefined) return repaired
    const plan = this.plan(placement, purpose === 'default' ? this.wantedStages(placement) : stages.length)
    return 'missing' in plan ? undefined : plan
  }

  /** Whether the layers of `placement` could be served without this node. */
  canDoWithout(placement: Placement, peerId: string): boolean {
    return this.#fitsOn(
      placement,
      this.#nodesBeside(placement).filter(node => node.peerId !== peerId)
    )
  }

  /** Whether the layers of `placement` could be served without these two nodes beside each other. */
  canDoWithoutLink(placement: Placement, [one, other]: readonly [string, string]): boolean {
    const nodes = this.#nodesBeside(placement).map(node => {
      if (node.peerId !== one && node.peerId !== other) return node
      return { ...node, avoids: new Set([...(node.avoids ?? []), node.peerId === one ? other : one]) }
    })
    return this.#fitsOn(placement, nodes)
  }

  /** The nodes with the memory that they would have without `placement`. */
  #nodesBeside(placement: Placement): PlannerNode[] {
    const others = this.#components.table.all().filter(one => one !== placement)
    return this.#nodes(placement, others)
  }

  #fitsOn({ model, stages, purpose }: Placement, nodes: readonly PlannerNode[]): boolean {
    const input = { model: shapeOf(model), stages, nodes, hopMs: HOP_MS }
    if (repairPlacement(input) !== undefined) return true
    const whole = stagesMaxOf(model.manifest) === 1
    const count = whole ? 1 : purpose === 'default' ? 'auto' : stages.length
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
