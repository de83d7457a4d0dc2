import type { HostileReport } from './hostile-run.ts'
import { isNothing } from './mesh-watch.ts'
import { OWN_TIMERS } from './probe-messages.ts'

const MIB = 1024 * 1024

/** Whatever a machine is like, more than this no process may hold: a quiet one holds a quarter. */
const RESIDENT_BYTES_MAX = 1024 * MIB
/**
 * Each thread that is kept for what clients send has five (schemas, answers, prompts), and sockets of the probe and of the last
 * answers may still be closing. What leaks one in fifty cases passes it.
 */
const OPEN_FILES_MORE_MAX = 24

/** A probe may take so long in all but one of a hundred cases. */
const HEALTH_P99_MS = 50
/** From the middle of a run to its end a process may grow by so much, and by so much of what it had. */
const GROWTH_BYTES_MAX = 48 * MIB
const GROWTH_SHARE_MAX = 0.15

/** What must hold however busy the machine is. Nothing for a run that was as it should be. */
export function missedAims(report: HostileReport): string[] {
  const { faults, ownFailures, honest, nodesLeft, processes, leftovers, probe } = report
  const missed = [
    ...faults.map(({ index, idea, what }) => `case ${index} (${idea}): ${what}`),
    ...ownFailures.map(what => `a request failed by a fault of the mesh: ${what}`),
    ...honest.faults.map(what => `an honest answer was wrong: ${what}`),
    ...nodesLeft.map(peerId => `the node ${peerId} left`),
    ...probe.failures.map(what => `a probe failed: ${what}`)
  ]
  if (honest.right === 0) missed.push('no honest question was answered')
  if (!isNothing(leftovers)) missed.push(`something is left over: ${JSON.stringify(leftovers)}`)
  for (const { name, died, peakBytes, openFilesAtStart, openFilesAtEnd } of processes) {
    if (died) missed.push(`${name} died`)
    if (peakBytes > RESIDENT_BYTES_MAX) missed.push(`${name} held ${mebibytes(peakBytes)} MiB`)
    const more = openFilesAtEnd - openFilesAtStart
    if (more > OPEN_FILES_MORE_MAX) missed.push(`${name} has ${more} files open more than at the start`)
  }
  return missed
}

/** What a long run on a quiet machine must show besides. */
export function missedTimes({ probe, processes }: HostileReport): string[] {
  const missed: string[] = []
  for (const [target, { p99Ms }] of Object.entries(probe.latencies)) {
    if (target !== OWN_TIMERS && !(p99Ms < HEALTH_P99_MS)) {
      missed.push(`${target} answers 99 of 100 probes within ${p99Ms.toFixed(0)} ms, not ${HEALTH_P99_MS}`)
    }
  }
  for (const { name, middleBytes, endBytes } of processes) {
    const growth = endBytes - middleBytes
    if (growth > Math.max(GROWTH_BYTES_MAX, middleBytes * GROWTH_SHARE_MAX)) {
      missed.push(`${name} grew from ${mebibytes(middleBytes)} to ${mebibytes(endBytes)} MiB in the run's second half`)
    }
  }
  return missed
}

function mebibytes(bytes: number): string {
  return (bytes / MIB).toFixed(0)
}
