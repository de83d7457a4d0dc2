import type { LayerRange } from '@resultity/interface'
import { costOf, MOVE_EVERYTHING_PENALTY, type PlacementPlan } from './plan.ts'
import { ModelCosts, type ModelShape, type PlannerNode } from './shape.ts'

export interface RepairInput {
  readonly model: ModelShape
  /** Stages that were, in route order. */
  readonly stages: readonly { readonly peerId: string; readonly range: LayerRange }[]
  /** Nodes there are now, with the memory of those stages free again. */
  readonly nodes: readonly PlannerNode[]
  /** Overhead of one hop, see {@link predictTokenTime}. */
  readonly hopMs: number
}

/**
 * Gives the layers of each lost node to one other node. The remaining nodes keep their ranges, so they load nothing
 * anew.
 *
 * Each hole goes to the node that computes it fastest, with a handicap for weights that it must fetch. Ties go to the
 * smaller peer id, as in {@link planPlacement}.
 *
 * @returns undefined when nobody is left, or some hole fits no node
 */
export function repairPlacement({ model, stages, nodes, hopMs }: RepairInput): PlacementPlan | undefined {
  const costs = new ModelCosts(model)
  const fits = (node: PlannerNode, range: LayerRange): boolean => costs.stageBytes(range) <= node.memoryFreeBytes
  const kept = stages.map(({ peerId, range }) => nodes.find(node => node.peerId === peerId && fits(node, range)))
  if (kept.every(node => node === undefined)) return undefined
  const spare = new Set(nodes.filter(node => !kept.includes(node)))
  const order: PlannerNode[] = []
  for (const [index, { range }] of stages.entries()) {
    const node =
      kept[index] ??
      bestFor(
        costs,
        range,
        [...spare].filter(one => fits(one, range))
      )
    if (node === undefined) return undefined
    spare.delete(node)
    order.push(node)
  }
  const ranges = stages.map(({ range }) => range)
  return costOf(costs, order, ranges, hopMs)
}

function bestFor(costs: ModelCosts, range: LayerRange, nodes: readonly PlannerNode[]): PlannerNode | undefined {
  const bytes = costs.layerBytes(range)
  const scoreOf = (node: PlannerNode): number => {
    const moved = bytes === 0 ? 0 : costs.bytesToMove(node, range) / bytes
    return costs.stageMs(node, range) * (1 + MOVE_EVERYTHING_PENALTY * moved)
  }
  return nodes.toSorted((a, b) => scoreOf(a) - scoreOf(b) || (a.peerId < b.peerId ? -1 : 1))[0]
}
