import type { PlacedStage } from './placement.ts'

/** What is known of how a node computes its layers: a placed stage, or what was written down of one. */
export interface StageKernels extends Pick<PlacedStage, 'peerId' | 'range' | 'kernels'> {
  readonly report: Pick<PlacedStage['report'], 'selfTestSha256'>
}

/** Of all stages of a placement. */
export interface PlacementKernels {
  readonly stages: readonly StageKernels[]
}

/**
 * Whether two placements of a model give the same answers to the last bit, as far as it is known: what one node computed
 * another goes on with, and their kernels may differ.
 */
export function computeAlike(one: PlacementKernels, other: PlacementKernels): boolean {
  return one.stages.every(stage => other.stages.every(its => !overlap(stage, its) || areAlike(stage, its)))
}

function overlap({ range: one }: StageKernels, { range: other }: StageKernels): boolean {
  return one.first < other.end && other.first < one.end
}

/** The self-test says it of the model's own layers, where both had the same ones; else the node's probe. */
function areAlike(one: StageKernels, other: StageKernels): boolean {
  if (one.peerId === other.peerId) return true
  const same = one.range.first === other.range.first && one.range.end === other.range.end
  const [test, its] = [one.report.selfTestSha256, other.report.selfTestSha256]
  if (same && test !== '' && its !== '') return test === its
  return one.kernels === undefined || other.kernels === undefined || one.kernels === other.kernels
}
