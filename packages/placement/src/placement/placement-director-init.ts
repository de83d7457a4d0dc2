import type { Clock } from '@resultity/interface'
import type { NodeRegistry } from '../membership/node-registry.ts'
import type { AssignmentPort } from './handover.ts'
import type { PoolSource } from './node-pool.ts'

export interface PlacementDirectorComponents {
  readonly registry: NodeRegistry
  readonly assignments: AssignmentPort
  readonly clock: Clock
  /** Default: one pool of all nodes. */
  readonly pools?: PoolSource
  newId(): string
}

export interface PlacementDirectorInit {
  /** Stages of every model's default placement. */
  readonly stages: 'auto' | number
  readonly fewerStagesAfterMs: number
  readonly assignmentRetryMs: number
  readonly assignmentSilenceMs: number
  readonly onDemandIdleMs: number
}
