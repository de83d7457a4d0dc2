import { setImmediate } from 'node:timers/promises'

/** Nobody notices a pause of so long, and what goes on after it has had most of the time. */
const SLICE_MS = 5

/** Long work in turns with everything else: what is done in one go holds the event loop, and with it every heartbeat. */
export class TimeSlice {
  #begunMs = performance.now()

  /** Call it between pieces of the work: now and then it lets others have theirs done. */
  async next(): Promise<void> {
    if (performance.now() - this.#begunMs < SLICE_MS) return
    await setImmediate()
    this.#begunMs = performance.now()
  }
}
