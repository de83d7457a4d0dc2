import { MeshError } from '@resultity/interface'

/** How far a node is that is about to leave. */
export interface DrainProgress {
  /** Placements that its coordinators have not released yet. */
  readonly placements: number
  /** Answers and jobs that still run on them. */
  readonly running: number
}

/** How a drain ended: with nothing left, or at its deadline with what it says is left. */
export interface DrainOutcome extends DrainProgress {
  readonly drained: boolean
}

export interface DrainOptions {
  /** So long others are given to take over. */
  readonly deadlineMs: number
  /** Called when something has changed. */
  readonly onProgress?: (progress: DrainProgress) => void
}

/** What a node that is about to leave answers to whatever is new. */
export function drainingError(): MeshError {
  return new MeshError('node_draining', 'this node is about to leave and takes nothing new', {
    hint: 'another node can serve the request'
  })
}
