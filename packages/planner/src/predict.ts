import type { LayerRange } from '@resultity/interface'
import { ModelCosts, type ModelShape, type PlannerNode } from './shape.ts'

/** One stage of a plan and what it is predicted to cost. */
export interface PlannedStage {
  readonly peerId: string
  readonly range: LayerRange
  /** Class of the node's kernels, if it is known. */
  readonly kernels?: string
  /** Weights, ends and KV slots. */
  readonly memoryBytes: number
  /** Computing one token of one stream. */
  readonly computeMs: number
  /**
   * Time of the hop to the next stage of the ring (from the last, back to the first); 0 when there is only one stage.
   */
  readonly hopMs: number
}

export interface TokenTime {
  readonly stages: readonly PlannedStage[]
  /** One trip round the ring: milliseconds per token of one stream. */
  readonly tokenMs: number
  /** The slowest stage: with many streams, no more than one token in this time. */
  readonly bottleneckMs: number
}

/**
 * Predicts the time per decoded token of `stages`, in order: Σ compute + Σ (hop overhead + RTT/2) round the ring.
 *
 * @param hopMs what one hop costs beside the network: framing, encryption and cold caches on both sides
 */
export function predictTokenTime(
  model: ModelShape | ModelCosts,
  stages: readonly { readonly node: PlannerNode; readonly range: LayerRange }[],
  hopMs: number
): TokenTime {
  const costs = model instanceof ModelCosts ? model : new ModelCosts(model)
  const planned = stages.map(({ node, range }, index): PlannedStage => {
    const next = stages[(index + 1) % stages.length]?.node
    return {
      peerId: node.peerId,
      range,
      memoryBytes: costs.stageBytes(range),
      computeMs: costs.stageMs(node, range),
      hopMs: next === undefined || next === node ? 0 : hopMs + roundTripMs(node, next) / 2,
      ...(node.kernels === undefined ? {} : { kernels: node.kernels })
    }
  })
  return {
    stages: planned,
    tokenMs: planned.reduce((sum, stage) => sum + stage.computeMs + stage.hopMs, 0),
    bottleneckMs: planned.reduce((most, stage) => Math.max(most, stage.computeMs), 0)
  }
}

/** Either end may have measured the link; two measurements are averaged, none counts as 0. */
function roundTripMs(a: PlannerNode, b: PlannerNode): number {
  const forth = a.rttMs?.[b.peerId]
  const back = b.rttMs?.[a.peerId]
  if (forth !== undefined && back !== undefined) return (forth + back) / 2
  return forth ?? back ?? 0
}
