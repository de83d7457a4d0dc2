import type { LayerRange } from '@resultity/interface'
import type { ModelCosts, PlannerNode } from './shape.ts'

/**
 * Cuts the model over `order`, first stage first, so that the slowest stage is as fast as it can be.
 *
 * Dynamic programming over (stages used, layers covered): `slowest[j][l]` is the least possible time of the slowest
 * of the first `j` stages when they cover `[0, l)`. O(stages · layers²) at worst; a stage only grows costlier as it
 * reaches further back, so the inner loop ends early.
 *
 * @returns one non-empty range per node, or undefined when the weights do not fit in this order
 */
export function cutForOrder(costs: ModelCosts, order: readonly PlannerNode[]): LayerRange[] | undefined {
  const layers = costs.layerCount
  let slowest = new Float64Array(layers + 1).fill(Number.POSITIVE_INFINITY)
  slowest[0] = 0
  const cuts: Int32Array[] = []
  for (const node of order) {
    const next = new Float64Array(layers + 1).fill(Number.POSITIVE_INFINITY)
    const cut = new Int32Array(layers + 1)
    for (let end = cuts.length + 1; end <= layers; end++) {
      const found = bestStart(costs, node, slowest, end)
      next[end] = found.ms
      cut[end] = found.first
    }
    slowest = next
    cuts.push(cut)
  }
  return slowest[layers] === Number.POSITIVE_INFINITY ? undefined : walkBack(cuts, layers)
}

/** Where the stage that ends at `end` best begins, given how well the stages before it can do. */
function bestStart(
  costs: ModelCosts,
  node: PlannerNode,
  before: Float64Array,
  end: number
): { ms: number; first: number } {
  let best = { ms: Number.POSITIVE_INFINITY, first: 0 }
  for (let first = end - 1; first >= 0; first--) {
    if (!costs.mayBegin(first)) continue
    const range = { first, end }
    const ms = costs.stageMs(node, range)
    if (ms >= best.ms || costs.stageBytes(range) > node.memoryFreeBytes) break
    const slowest = Math.max(ms, before[first] ?? Number.POSITIVE_INFINITY)
    if (slowest < best.ms) best = { ms: slowest, first }
  }
  return best
}

function walkBack(cuts: readonly Int32Array[], layers: number): LayerRange[] {
  const ranges: LayerRange[] = []
  let end = layers
  for (const cut of cuts.toReversed()) {
    const first = cut[end] ?? 0
    ranges.unshift({ first, end })
    end = first
  }
  return ranges
}
