import type { NodeRegistry } from '../membership/node-registry.ts'
import { computeAlike } from './kernels.ts'
import { type NodePool, poolOfNode, type RouteConstraints } from './node-pool.ts'
import type { PlaceableModel } from './placeable-model.ts'
import type { PlacementDirector } from './placement-director.ts'

/** Jobs that one node has at once of work that many share: one computes while the next is on its way. */
const JOBS_PER_NODE = 2

export interface ReplicasComponents {
  readonly registry: Pick<NodeRegistry, 'list'>
  readonly director: PlacementDirector
  readonly general: NodePool
}

/**
 * Further placements of models that are served whole, for work of many parts. One placement is enough for work that
 * comes piece by piece; a recording of an hour is a hundred pieces, which all nodes of its pool can share.
 */
export class Replicas {
  readonly #components: ReplicasComponents

  constructor(components: ReplicasComponents) {
    this.#components = components
  }

  /**
   * Asks for placements on `count` nodes of the pool in all, as far as there are nodes with room for one. Nothing waits
   * for them, and they are released when they are not used.
   */
  ask(model: PlaceableModel, routing: RouteConstraints, count: number): void {
    const { registry, director } = this.#components
    const pool = this.#poolOf(routing)
    const placed = this.#nodesOf(model, pool, ['ready', 'loading'])
    for (const node of registry.list()) {
      if (placed.size >= count) return
      if (placed.has(node.peerId) || !pool.admits(node)) continue
      // an error says that this node has no room, and the others do the work
      const choice = director.choose(model, { pool: poolOfNode(pool, node.peerId) })
      if (choice.type !== 'error') placed.add(node.peerId)
    }
  }

  /** How many jobs may be at work at once on nodes that serve the model now. */
  jobsMax(model: PlaceableModel, routing: RouteConstraints): number {
    const pool = this.#poolOf(routing)
    const { director } = this.#components
    const ready = director.table.of(model).filter(one => one.state === 'ready' && director.fits(one, pool))
    // of placements on several nodes each is one, wherever it begins
    const nodes = new Set(ready.map(({ stages }) => stages[0]?.peerId))
    return nodes.size * Math.min(JOBS_PER_NODE, model.sessionsMax)
  }

  /**
   * Of each node that serves the model and does nothing for it now: milliseconds that one of its runs takes for each position. None
   * where one of all that serve it computes otherwise, so that parts of one result may come from any of them.
   */
  idle(model: PlaceableModel, routing: RouteConstraints): readonly number[] {
    const { director } = this.#components
    const pool = this.#poolOf(routing)
    const ready = director.table.of(model).filter(one => one.state === 'ready' && director.fits(one, pool))
    const [first] = ready
    if (first === undefined || !ready.every(one => computeAlike(first, one))) return []
    // in parts, a step waits for other nodes than its own
    const idle = ready.filter(({ sessionsOpen, stages }) => sessionsOpen === 0 && stages.length === 1)
    return idle.flatMap(({ stages }) =>
      stages.map(({ report, range }) => report.decodeMsPerLayer * (range.end - range.first))
    )
  }

  /** @returns stops listening */
  onChange(listener: () => void): () => void {
    return this.#components.director.onChange(listener)
  }

  #poolOf({ pool }: RouteConstraints): NodePool {
    return pool ?? this.#components.general
  }

  #nodesOf(model: PlaceableModel, pool: NodePool, states: readonly string[]): Set<string> {
    const { director } = this.#components
    const placements = director.table.of(model).filter(one => states.includes(one.state) && director.fits(one, pool))
    return new Set(placements.flatMap(({ stages }) => stages.map(({ peerId }) => peerId)))
  }
}
