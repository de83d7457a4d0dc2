import type { Scheduler } from '@resultity/interface'

/** At most one report for so many bytes fetched, */
const STEP_BYTES = 4 * 1024 * 1024

/** or for so much time: a node that waits for its hub would else look dead to its coordinator. */
const STEP_MS = 20_000

type Report = (bytesDone: number, bytesTotal: number) => void

/** Passes on some of what is reported of a progress: its end, and steps of bytes or time. */
export function reportSteps(clock: Pick<Scheduler, 'monotonic'>, report: Report): Report {
  let reportedBytes = Number.NEGATIVE_INFINITY
  let reportedMs = Number.NEGATIVE_INFINITY
  return (bytesDone, bytesTotal) => {
    const now = clock.monotonic()
    const near = bytesDone - reportedBytes < STEP_BYTES && now - reportedMs < STEP_MS
    if (bytesDone < bytesTotal && near) return
    reportedBytes = bytesDone
    reportedMs = now
    report(bytesDone, bytesTotal)
  }
}
