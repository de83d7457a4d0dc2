import type { LayerRange } from '@resultity/interface'
import { faultyPairs, mayNeighbour } from './adjacent.ts'
import { cutForOrder } from './cut.ts'
import { predictTokenTime, type TokenTime } from './predict.ts'
import { ModelCosts, type ModelShape, type PlannerNode } from './shape.ts'

/** Orders of nodes that are tried for one number of stages: all of them up to 6 nodes, or 4 stages of 7. */
const ORDERS_MAX = 1000

/** Nodes looked at on the way to each of them, on average: among many that avoid each other there may be few orders. */
const STEPS_PER_ORDER_MAX = 20

/** Bounds the work on very deep models: layers² of every order tried, together. A tenth of a second or so. */
const CUT_STEPS_MAX = 20_000_000

/** A plan that must fetch all its weights has to be this much better than one that must fetch none. */
export const MOVE_EVERYTHING_PENALTY = 0.1

export interface PlacementInput {
  readonly model: ModelShape
  readonly nodes: readonly PlannerNode[]
  /** `auto`: the fewest stages that fit. A number: exactly this many, even where fewer would fit. */
  readonly stages: 'auto' | number
  /** Overhead of one hop, see {@link predictTokenTime}. */
  readonly hopMs: number
}

/** Stages in route order; their ranges cover the model exactly. */
export interface PlacementPlan extends TokenTime {
  /** Layer bytes that nodes must still fetch. */
  readonly bytesToMove: number
}

/** Why there is no plan. */
export interface PlacementShortfall {
  /** Layers that no node has memory for; empty when only the number of nodes or layers is too small. */
  readonly missing: readonly LayerRange[]
  /** Bytes of those layers with their caches. */
  readonly bytesShort: number
  /** As a clause: "3 stages need 3 nodes and there are 2". */
  readonly reason: string
}

/**
 * Chooses nodes, their order and the cuts between them.
 *
 * Fewest hops that fit come first, because each adds latency to every token. Among plans of equally many stages the
 * one wins whose slowest stage and links take least, with a handicap for weights that must be fetched. Ties go to
 * the smaller peer ids, so that every coordinator draws the same plan from the same nodes.
 */
export function planPlacement(input: PlacementInput): PlacementPlan | PlacementShortfall {
  const costs = new ModelCosts(input.model)
  const nodes = input.nodes.toSorted((a, b) => (a.peerId < b.peerId ? -1 : 1))
  const most = Math.min(nodes.length, costs.stagesMax)
  if (input.stages !== 'auto') {
    const reason = impossibleCount(input.stages, nodes.length, costs.stagesMax)
    if (reason !== undefined) return { ...shortfall(costs, nodes, nodes.length), reason }
    return bestPlan(costs, nodes, input.stages, input.hopMs) ?? shortfall(costs, nodes, input.stages)
  }
  for (let stageCount = 1; stageCount <= most; stageCount++) {
    const plan = bestPlan(costs, nodes, stageCount, input.hopMs)
    if (plan !== undefined) return plan
  }
  return shortfall(costs, nodes, most)
}

function impossibleCount(stages: number, nodeCount: number, stagesMax: number): string | undefined {
  if (!Number.isInteger(stages) || stages < 1) return `${stages} is no number of stages`
  if (stages > stagesMax) return `${stages} stages need ${stages} layers and the model has ${stagesMax}`
  if (stages > nodeCount) return `${stages} stages need ${stages} nodes and there are ${nodeCount}`
  return undefined
}

function bestPlan(
  costs: ModelCosts,
  nodes: readonly PlannerNode[],
  stageCount: number,
  hopMs: number
): PlacementPlan | undefined {
  let best: PlacementPlan | undefined
  let bestScore = Number.POSITIVE_INFINITY
  const ordersMax = Math.ceil(Math.min(ORDERS_MAX, CUT_STEPS_MAX / costs.layerCount ** 2))
  for (const order of ordersOf(shortlist(costs, nodes, stageCount), stageCount, ordersMax)) {
    const ranges = cutForOrder(costs, order)
    if (ranges === undefined) continue
    const plan = costOf(costs, order, ranges, hopMs)
    const score = scoreOf(costs, plan)
    if (score < bestScore * (1 - 1e-9)) {
      best = plan
      bestScore = score
    }
  }
  return best
}

/** What a choice of nodes and ranges comes to. */
export function costOf(
  costs: ModelCosts,
  order: readonly PlannerNode[],
  ranges: readonly LayerRange[],
  hopMs: number
): PlacementPlan {
  const stages = ranges.flatMap((range, index) => {
    const node = order[index]
    return node === undefined ? [] : [{ node, range }]
  })
  const bytesToMove = stages.reduce((sum, { node, range }) => sum + costs.bytesToMove(node, range), 0)
  return { ...predictTokenTime(costs, stages, hopMs), bytesToMove }
}

/**
 * Counts every stage as long as the slowest one, so that balance matters; then the links; then the weights to be moved.
 */
function scoreOf(costs: ModelCosts, plan: PlacementPlan): number {
  const links = plan.stages.reduce((sum, stage) => sum + stage.hopMs, 0)
  const all = costs.layerBytes({ first: 0, end: costs.layerCount })
  const moved = all === 0 ? 0 : plan.bytesToMove / all
  return (plan.bottleneckMs * plan.stages.length + links) * (1 + MOVE_EVERYTHING_PENALTY * moved)
}

/** The nodes worth permuting: all when there are few, else those that can carry most layers in a balanced time. */
function shortlist(costs: ModelCosts, nodes: readonly PlannerNode[], stageCount: number): PlannerNode[] {
  let count = nodes.length
  while (count > stageCount && orderCount(count, stageCount) > ORDERS_MAX) count--
  if (count === nodes.length) return [...nodes]
  const limitMs = balancedMs(costs, nodes, stageCount)
  const carried = new Map(nodes.map(node => [node, layersWithin(costs, node, limitMs)]))
  return nodes
    .toSorted((a, b) => (carried.get(b) ?? 0) - (carried.get(a) ?? 0) || a.msPerLayer - b.msPerLayer)
    .slice(0, count)
}

/** The time in which the best `stageCount` nodes together carry all layers, leaving the ends aside. */
function balancedMs(costs: ModelCosts, nodes: readonly PlannerNode[], stageCount: number): number {
  let low = 0
  let high = nodes.reduce((most, node) => Math.max(most, node.msPerLayer), 0) * costs.layerCount
  for (let step = 0; step < 30; step++) {
    const middle = (low + high) / 2
    const most = nodes.map(node => layersWithin(costs, node, middle)).toSorted((a, b) => b - a)
    const together = most.slice(0, stageCount).reduce((sum, layers) => sum + layers, 0)
    if (together >= costs.layerCount) high = middle
    else low = middle
  }
  return high
}

function layersWithin(costs: ModelCosts, node: PlannerNode, limitMs: number): number {
  const meanBytes =
    costs.layerBytes({ first: 0, end: costs.layerCount }) / costs.layerCount + costs.shape.kvBytesPerLayer
  const byMemory = meanBytes === 0 ? costs.layerCount : Math.floor(node.memoryFreeBytes / meanBytes)
  const byTime = node.msPerLayer === 0 ? costs.layerCount : Math.floor(limitMs / node.msPerLayer)
  return Math.min(byMemory, byTime, costs.layerCount)
}

/** n · (n−1) · … : ordered choices of `stageCount` out of `count`. */
function orderCount(count: number, stageCount: number): number {
  let orders = 1
  for (let taken = 0; taken < stageCount && orders <= ORDERS_MAX; taken++) orders *= count - taken
  return orders
}

/** Every ordered choice of `stageCount` nodes that may be beside each other in a ring, at most `ordersMax` of them. */
function* ordersOf(nodes: readonly PlannerNode[], stageCount: number, ordersMax: number): Generator<PlannerNode[]> {
  let yielded = 0
  let steps = 0
  function* extend(prefix: PlannerNode[]): Generator<PlannerNode[]> {
    if (prefix.length === stageCount) {
      if (faultyPairs(prefix).length > 0) return
      yielded++
      yield prefix
      return
    }
    for (const node of nodes) {
      if (yielded >= ordersMax || steps >= ordersMax * STEPS_PER_ORDER_MAX) return
      if (prefix.includes(node) || !mayNeighbour(prefix.at(-1), node)) continue
      steps++
      yield* extend([...prefix, node])
    }
  }
  yield* extend([])
}

/** Lays layers onto the roomiest nodes, one after the other, and reports those that find no place. */
function shortfall(costs: ModelCosts, nodes: readonly PlannerNode[], stageCount: number): PlacementShortfall {
  const roomiest = nodes.toSorted((a, b) => b.memoryFreeBytes - a.memoryFreeBytes).slice(0, stageCount)
  let first = 0
  for (const node of roomiest) {
    let end = first
    while (end < costs.layerCount && costs.stageBytes({ first, end: end + 1 }) <= node.memoryFreeBytes) end++
    first = end
  }
  if (nodes.length === 0) return { ...unplaced(costs, 0), reason: 'no node is here' }
  if (first < costs.layerCount) {
    const rest = unplaced(costs, first)
    const reason = `${rest.bytesShort} bytes more of node memory are needed`
    return { ...rest, reason }
  }
  const links = nodes.some(({ avoids }) => avoids !== undefined) ? ' and the links between them that work' : ''
  return { missing: [], bytesShort: 0, reason: `no cut into ${stageCount} stages fits the nodes' memory${links}` }
}

function unplaced(costs: ModelCosts, first: number): Omit<PlacementShortfall, 'reason'> {
  const range = { first, end: costs.layerCount }
  return { missing: [range], bytesShort: costs.stageBytes(range) }
}
