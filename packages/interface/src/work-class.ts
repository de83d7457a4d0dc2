import type { AbortOptions } from './deadline.ts'

/**
 * Who waits for a piece of work: somebody for `interactive` work, nobody in particular for `batch` work, which takes what
 * the other leaves idle. The coordinator decides; requests that come one by one are interactive.
 */
export type WorkClass = 'interactive' | 'batch'

export interface WorkOptions extends AbortOptions {
  /** Default `interactive`. */
  readonly workClass?: WorkClass
}
