/** Bounds and times of nodes, memberships and placements. */
export interface PlacementLimits {
  /** Nodes connected at once. */
  readonly nodesMax: number
  readonly heartbeatIntervalMs: number
  /** After so many silent intervals a node is given up. */
  readonly heartbeatMissesMax: number
  /** From a membership stream's opening to its Hello. */
  readonly helloTimeoutMs: number
  /** After nodes came: wait for more before planning, so that a starting swarm is planned once. */
  readonly joinSettleMs: number
  /** How long a default placement of a fixed number of stages waits for that many nodes before it takes fewer. */
  readonly fewerStagesAfterMs: number
  /** A node that failed an assignment is left out for this long; doubled on each further failure, up to 64 times. */
  readonly assignmentRetryMs: number
  /** A placement that loads has failed when none of its nodes reports for this long. */
  readonly assignmentSilenceMs: number
  /** A placement made for one request's `mesh.stages` is released when it was not used for this long. */
  readonly onDemandIdleMs: number
  /** How often the coordinator looks which subclouds others have defined. */
  readonly subcloudRefreshMs: number
}

/** What holds unless the operator says otherwise. */
export const DEFAULT_PLACEMENT_LIMITS: PlacementLimits = {
  nodesMax: 256,
  heartbeatIntervalMs: 1000,
  heartbeatMissesMax: 3,
  helloTimeoutMs: 10_000,
  joinSettleMs: 300,
  fewerStagesAfterMs: 15_000,
  assignmentRetryMs: 15_000,
  assignmentSilenceMs: 300_000,
  onDemandIdleMs: 600_000,
  subcloudRefreshMs: 5000
}
