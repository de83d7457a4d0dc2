import { type Clock, steadyClock, systemClock } from '@resultity/interface'

/** A moment by both clocks. */
export interface Moment {
  /** Unix milliseconds, for times that people see and for comparisons across days. */
  readonly ms: number
  /** Time for leases. */
  readonly leaseMs: number
}

/** Clocks of a database that one process has for itself. */
export interface StoreClocks {
  readonly wall: Clock
  /** Does not jump when the wall clock is set. */
  readonly steady: Clock
}

export const systemClocks: StoreClocks = { wall: systemClock, steady: steadyClock }

export function momentOf({ wall, steady }: StoreClocks): Moment {
  return { ms: wall.now(), leaseMs: steady.now() }
}

/** Slower changes of the wall clock are its being kept right. */
const JUMP_MS_MIN = 2000

/** Notices when the wall clock was set. */
export class ClockWatch {
  #aheadMs: number | undefined

  /** @returns by how much it was set since the last look; 0 when it was not */
  look({ ms, leaseMs }: Moment): number {
    const aheadMs = ms - leaseMs
    const jumpMs = this.#aheadMs === undefined ? 0 : aheadMs - this.#aheadMs
    this.#aheadMs = aheadMs
    return Math.abs(jumpMs) < JUMP_MS_MIN ? 0 : jumpMs
  }
}
