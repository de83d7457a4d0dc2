import type { AbortOptions } from './abort-options.ts'

/**
 * Who waits for a piece of work: somebody for `interactive` work, nobody in particular for `batch` work, which takes what
 * the other leaves idle. The coordinator decides; requests that come one by one are interactive.
 */
export type WorkClass = 'interactive' | 'batch'

export interface WorkOptions extends AbortOptions {
  /** Default `interactive`. */
  readonly workClass?: WorkClass
}

/**
 * Batch work never takes the last places, so that somebody who waits for an answer finds one free: a quarter of them,
 * and one at least where there are several, is kept.
 */
export function batchPlaces(places: number): number {
  return places < 2 ? places : places - Math.max(1, Math.floor(places / 4))
}
