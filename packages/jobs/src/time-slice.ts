import { setImmediate } from 'node:timers/promises'

/** Nobody notices a pause of this length, and most of the time is still left for the work that resumes after it. */
const SLICE_MS = 5

/**
 * Divides long work so that it alternates with everything else: work done in one go blocks the event loop, and every
 * heartbeat with it.
 */
export class TimeSlice {
  #begunMs = performance.now()

  /** Call it between pieces of the work: now and then it lets others have theirs done. */
  async next(): Promise<void> {
    if (performance.now() - this.#begunMs < SLICE_MS) return
    await setImmediate()
    this.#begunMs = performance.now()
  }
}
