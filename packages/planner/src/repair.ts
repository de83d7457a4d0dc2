import type { LayerRange } from '@resultity/interface'
import { faultyPairs, mayNeighbour } from './adjacent.ts'
import { costOf, MOVE_EVERYTHING_PENALTY, type PlacementPlan } from './plan.ts'
import { ModelCosts, type ModelShape, type PlannerNode } from './shape.ts'

/** A stage as it was placed. */
export interface PlacedLayers {
  readonly peerId: string
  readonly range: LayerRange
  /** Class of its node's kernels, if it was known. */
  readonly kernels?: string
}

export interface RepairInput {
  readonly model: ModelShape
  /** The stages of the placement, in route order. */
  readonly stages: readonly PlacedLayers[]
  /** Nodes there are now, with the memory of those stages free again; with `loaded` it is not. */
  readonly nodes: readonly PlannerNode[]
  /** The stages still serve: a node needs no new memory for the range that it keeps, and free memory for any other. */
  readonly loaded?: boolean
  /** Overhead of one hop, see {@link predictTokenTime}. */
  readonly hopMs: number
}

/** When several links fail at once, at most this many ways to drop one end of each are compared. */
const WAYS_MAX = 16

type Ring = readonly (PlannerNode | undefined)[]

/**
 * Gives the layers of each lost node to one other node. The remaining nodes keep their ranges, so they load nothing anew. If
 * two neighbours do not reach each other, one of them goes too: the one with more such links, or the one whose absence costs
 * less.
 *
 * Each hole goes to a node that computes like the one before, if there is one: there an answer goes on exactly. Of several such
 * nodes the fastest gets it, with a handicap for weights that it must fetch. Ties go to the smaller peer id, as in
 * {@link planPlacement}.
 *
 * @returns undefined when nobody is left, or some hole fits no node
 */
export function repairPlacement(input: RepairInput): PlacementPlan | undefined {
  const { model, stages, nodes, hopMs, loaded = false } = input
  const costs = new ModelCosts(model)
  const ranges = stages.map(({ range }) => range)
  const keeps = (node: PlannerNode, range: LayerRange): boolean =>
    loaded || costs.stageBytes(range) <= node.memoryFreeBytes
  const left = stages.map(({ peerId, range }) => nodes.find(node => node.peerId === peerId && keeps(node, range)))
  const plans = withoutFaultyLinks(left).flatMap(kept => {
    const order = fill(costs, kept, stages, nodes, true) ?? fill(costs, kept, stages, nodes, false)
    if (order === undefined) return []
    const unlike = order.filter((node, index) => !isAlike(node, stages[index])).length
    return [{ faulty: faultyLinks(kept), unlike, plan: costOf(costs, order, ranges, hopMs) }]
  })
  const best = plans.toSorted(
    (a, b) => a.unlike - b.unlike || a.faulty - b.faulty || a.plan.tokenMs - b.plan.tokenMs
  )[0]
  return best?.plan
}

/** Rings in which all neighbours reach each other; some of their stages have no node yet. */
function withoutFaultyLinks(ring: Ring): Ring[] {
  let ways: Ring[] = [ring]
  for (;;) {
    const next = ways.flatMap(way => {
      const [pair] = faultyPairs(way)
      return pair === undefined ? [way] : pair.toReversed().map(index => way.with(index, undefined))
    })
    if (next.length === ways.length) return ways
    ways = next.slice(0, WAYS_MAX)
  }
}

/** How many links of these nodes, to any other node, carry nothing. */
function faultyLinks(ring: Ring): number {
  return ring.reduce((sum, node) => sum + (node?.avoids?.size ?? 0), 0)
}

/**
 * Gives each open stage of a ring to a node.
 *
 * @param preferAlike prefers a node that computes like the one before; that may leave too little for the next stage
 */
function fill(
  costs: ModelCosts,
  kept: Ring,
  stages: readonly PlacedLayers[],
  nodes: readonly PlannerNode[],
  preferAlike: boolean
): PlannerNode[] | undefined {
  if (kept.every(node => node === undefined)) return undefined
  const ring = [...kept]
  for (const [index, stage] of stages.entries()) {
    if (ring[index] !== undefined) continue
    const { range } = stage
    const neighbours = [ring.at(index - 1), ring[(index + 1) % ring.length]]
    const able = nodes.filter(
      node =>
        !ring.includes(node) &&
        costs.stageBytes(range) <= node.memoryFreeBytes &&
        neighbours.every(other => mayNeighbour(node, other))
    )
    const alike = preferAlike ? able.filter(node => isAlike(node, stage)) : []
    const node = bestFor(costs, range, alike.length > 0 ? alike : able)
    if (node === undefined) return undefined
    ring[index] = node
  }
  return ring.filter(node => node !== undefined)
}

/** Whether a node computes like the one before, as far as that is known. */
function isAlike({ kernels }: PlannerNode, before: PlacedLayers | undefined): boolean {
  return kernels === undefined || before?.kernels === undefined || kernels === before.kernels
}

function bestFor(costs: ModelCosts, range: LayerRange, nodes: readonly PlannerNode[]): PlannerNode | undefined {
  const bytes = costs.layerBytes(range)
  const scoreOf = (node: PlannerNode): number => {
    const moved = bytes === 0 ? 0 : costs.bytesToMove(node, range) / bytes
    return costs.stageMs(node, range) * (1 + MOVE_EVERYTHING_PENALTY * moved)
  }
  return nodes.toSorted((a, b) => scoreOf(a) - scoreOf(b) || (a.peerId < b.peerId ? -1 : 1))[0]
}
