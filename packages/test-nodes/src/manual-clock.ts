import type { Clock } from '@resultity/interface'

/** Time that stands still until it is told to pass. */
export class ManualClock implements Clock {
  ms = 1_000_000

  now(): number {
    return this.ms
  }

  pass(ms: number): void {
    this.ms += ms
  }
}
