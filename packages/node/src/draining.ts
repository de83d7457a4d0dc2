import { MeshError } from '@resultity/interface'

/** What is left on a node that is about to leave. */
export interface DrainProgress {
  /** Placements that its coordinators have not released yet. */
  readonly placements: number
  /** Answers and jobs that still run on them. */
  readonly running: number
}

/** How a drain ended: with nothing left, or at its deadline with this left. */
export interface DrainOutcome extends DrainProgress {
  readonly drained: boolean
}

export interface DrainOptions {
  /** How long other nodes have to take over. */
  readonly deadlineMs: number
  /** Called when the progress has changed. */
  readonly onProgress?: (progress: DrainProgress) => void
}

/** The answer of a node that is about to leave to any new request. */
export function drainingError(): MeshError {
  return new MeshError('node_draining', 'this node is about to leave and takes nothing new', {
    hint: 'another node can serve the request'
  })
}
