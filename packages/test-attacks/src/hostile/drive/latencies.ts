/** What a series of probes took, in milliseconds. */
export interface Latencies {
  readonly probes: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/**
 * Sums up probes that were to be sent every `intervalMs` by one that waits for each answer: while one waits, those that
 * were due wait too, and count as what is left of the wait.
 */
export function latencies(samples: readonly number[], intervalMs: number): Latencies {
  const all = samples.flatMap(ms => {
    const due = Math.max(1, Math.ceil(ms / intervalMs))
    return Array.from({ length: due }, (_, index) => ms - index * intervalMs)
  })
  all.sort((a, b) => a - b)
  const at = (share: number): number => all[Math.max(0, Math.ceil(all.length * share) - 1)] ?? Number.NaN
  return { probes: samples.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}
