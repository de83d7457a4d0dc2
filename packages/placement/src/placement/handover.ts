import type { PlacedStage, Placement } from './placement.ts'

/** What the director wants a node told. */
export interface AssignmentPort {
  assign(placement: Placement, stage: PlacedStage): void
  release(peerId: string, placementId: string, reason: string): void
}

/** One thing to tell one node. */
export type HandoverStep =
  | { readonly type: 'assign'; readonly placement: Placement; readonly stage: PlacedStage }
  | { readonly type: 'release'; readonly placement: Placement; readonly peerId: string }

/**
 * The order in which nodes are told that some placements are new and others are over.
 *
 * A stage that both have is assigned before it is released: the node keeps it loaded. Any other goes first, for there may be
 * no room for both.
 */
export function handover(created: readonly Placement[], ended: readonly Placement[]): HandoverStep[] {
  const releases = ended.flatMap(placement =>
    placement.stages.map(stage => ({
      placement,
      peerId: stage.peerId,
      kept: created.some(one => shares(one, placement, stage))
    }))
  )
  const release = ({ placement, peerId }: (typeof releases)[number]): HandoverStep => ({
    type: 'release',
    placement,
    peerId
  })
  return [
    ...releases.filter(one => !one.kept).map(release),
    ...created.flatMap(placement =>
      placement.stages.map((stage): HandoverStep => ({ type: 'assign', placement, stage }))
    ),
    ...releases.filter(one => one.kept).map(release)
  ]
}

/** Whether `created` has the same layers of the same model on the same node, which has them or is about to. */
function shares(created: Placement, ended: Placement, { peerId, range, report }: PlacedStage): boolean {
  if (report.state === 'failed' || report.state === 'released') return false
  const stage = created.stageOn(peerId)
  return (
    created.model.manifestSha256 === ended.model.manifestSha256 &&
    stage !== undefined &&
    stage.range.first === range.first &&
    stage.range.end === range.end
  )
}
