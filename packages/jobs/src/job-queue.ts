import { batchPlaces } from '@resultity/interface'
import type { ClaimRequest, JobClass } from '@resultity/store'

/** How many jobs of a lane may run at once. */
export interface Places {
  /** 0 while nothing can serve the lane. */
  places(lane: string): number
  /**
   * False while waiting jobs of the lane may need models that are not here yet. A job that is prepared here and now has
   * all that it needs.
   */
  mayClaim(lane: string): boolean
  /** @returns stops listening */
  onChange(listener: () => void): () => void
}

/** The state of one lane. */
export interface LaneState {
  readonly lane: string
  readonly places: number
  readonly running: Readonly<Record<JobClass, number>>
  /** Running batch jobs that were told to make room and have not yet. */
  readonly yielding: number
  /** Jobs may be waiting. True until a claim came back with fewer than it wished for. */
  readonly waiting: Readonly<Record<JobClass, boolean>>
}

/** Claims for waiting clients. Pure. */
export function interactiveClaims(lanes: readonly LaneState[]): ClaimRequest[] {
  return lanes.flatMap(({ lane, places, running, waiting }) => {
    const count = places - running.interactive - running.batch
    return waiting.interactive && count > 0 ? [{ lane, class: 'interactive' as const, count }] : []
  })
}

/**
 * Claims of batch work: only on lanes without waiting interactive work, and so that the reserved places stay free
 * beside running interactive work. Where that leaves none, one batch job may still have an idle place. Pure.
 */
export function batchClaims(lanes: readonly LaneState[]): ClaimRequest[] {
  return lanes.flatMap(({ lane, places, running, waiting }) => {
    const most = batchPlaces(places)
    const left = places - running.interactive - running.batch
    const beyondKept = left - (places - most)
    const count = Math.min(
      most - running.batch,
      running.batch > 0 ? beyondKept : Math.max(beyondKept, Math.min(left, 1))
    )
    return waiting.batch && !waiting.interactive && count > 0 ? [{ lane, class: 'batch' as const, count }] : []
  })
}

/**
 * Lanes where a batch job has to make room: a client waits for an answer and there is no place. One job at a time: once
 * its place is taken, the state shows whether another has to. Pure.
 */
export function lanesToYield(lanes: readonly LaneState[]): string[] {
  return lanes
    .filter(({ places, running, yielding, waiting }) => {
      const full = running.interactive + running.batch >= places
      return waiting.interactive && full && places > 0 && yielding === 0 && running.batch > 0
    })
    .map(({ lane }) => lane)
}
