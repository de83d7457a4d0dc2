import { type Scheduler, systemScheduler, type Timer } from '@resultity/interface'

interface HeldTimer extends Timer {
  readonly run: () => void
  readonly ms: number
}

/** Timers whose time is up when a test says so, and never before. */
export class HeldTimers {
  readonly #timers = new Set<Timer>()
  readonly scheduler: Scheduler = {
    ...systemScheduler,
    setTimeout: (run, ms) => {
      const timer: HeldTimer = { run, ms, refresh: () => {}, unref: () => {} }
      this.#timers.add(timer)
      return timer
    },
    clear: timer => {
      if (timer !== undefined) this.#timers.delete(timer)
    }
  }

  /** Lets the time of a timer of `ms` be up. @returns false when there is none */
  expire(ms: number): boolean {
    for (const timer of this.#timers as Set<HeldTimer>) {
      if (timer.ms !== ms) continue
      this.#timers.delete(timer)
      timer.run()
      return true
    }
    return false
  }
}
