import type { LayerRange } from './layer-range.ts'

/** One node serving one layer range of one model. */
export interface StagePlacement {
  readonly peerId: string
  readonly range: LayerRange
}

/** Who serves which range of a model, first stage first; covers `[0, layers)` exactly. Long-lived. */
export interface Placement {
  readonly id: string
  /** SHA-256 of the model's manifest. */
  readonly manifest: string
  readonly stages: readonly StagePlacement[]
}

/** The chain of stages chosen for one generation. */
export interface Route {
  readonly placementId: string
  readonly stages: readonly StagePlacement[]
}
