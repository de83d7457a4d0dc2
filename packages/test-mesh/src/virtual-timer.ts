import type { Timer } from '@resultity/interface'

/** Whose timer it is: says whether anything of it still happens. */
export interface TimerOwner {
  readonly state: 'running' | 'hanging' | 'ended'
  /** A timer of it is due. */
  due(timer: VirtualTimer): void
}

export interface VirtualTimerInit {
  readonly run: () => void
  readonly ms: number
  /** Every `ms`, rather than once. */
  readonly again: boolean
  readonly owner: TimerOwner
}

/** What makes timers due. */
export interface VirtualTime {
  monotonic(): number
  /** Makes `timer` due in `ms`. */
  enqueue(timer: VirtualTimer, ms: number): void
}

/** What is to happen at a moment of virtual time. */
export class VirtualTimer implements Timer {
  readonly owner: TimerOwner
  readonly #init: VirtualTimerInit
  readonly #time: VirtualTime
  /** Raised when what was queued before is no longer meant. */
  version = 0
  cleared = false

  constructor(init: VirtualTimerInit, time: VirtualTime) {
    this.owner = init.owner
    this.#init = init
    this.#time = time
    time.enqueue(this, Math.max(0, init.ms))
  }

  /** Calls what it is for. */
  fire(): void {
    const { run, ms, again } = this.#init
    // an interval of 0 would keep time from passing
    if (again) this.#time.enqueue(this, Math.max(1, ms))
    run()
  }

  refresh(): void {
    if (this.cleared) return
    this.version++
    this.#time.enqueue(this, Math.max(0, this.#init.ms))
  }

  /** Nothing waits for virtual time to end. */
  unref(): void {}
}
