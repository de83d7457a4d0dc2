import type { ProcessReport } from '../../hostile/drive/process-watch.ts'
import type { AttackReport } from './attack-bench.ts'

const MIB = 1024 * 1024

/** Honest callers get so much of what they get in peace. */
const SHARE_MIN = 0.9
/** No process may ever hold so much more than at the start: forty halves of frames once took 700 MiB. */
const MORE_BYTES_MAX = 256 * MIB
/** From the middle of a run to its end a process may grow by so much, and by so much of what it had. */
const GROWTH_BYTES_MAX = 48 * MIB
const GROWTH_SHARE_MAX = 0.15

/** What of a run must hold, however busy the machine is, and did not. */
export function missedAttackAims(report: Omit<AttackReport, 'turns' | 'share' | 'seed' | 'loggedErrors'>): string[] {
  const { rows, right, faults, nodesLeft, processes } = report
  const missed = [
    ...rows.flatMap(({ name, holes }) => holes.map(hole => `${name}: ${hole}`)),
    ...faults.map(what => `an honest answer was wrong: ${what}`),
    ...nodesLeft.map(peerId => `the node ${peerId} left`)
  ]
  if (right === 0) missed.push('no honest question was answered')
  for (const { name, died, startBytes, peakBytes } of processes) {
    if (died) missed.push(`${name} died`)
    if (peakBytes - startBytes > MORE_BYTES_MAX) {
      missed.push(`${name} grew from ${mebibytes(startBytes)} to ${mebibytes(peakBytes)} MiB`)
    }
  }
  return missed
}

/** What a run on a quiet machine must show besides. */
export function missedAttackTimes({ share, processes }: Pick<AttackReport, 'share' | 'processes'>): string[] {
  const grown = processes.filter(grewLate).map(({ name, middleBytes, endBytes }) => {
    return `${name} grew from ${mebibytes(middleBytes)} to ${mebibytes(endBytes)} MiB in the run's second half`
  })
  if (share >= SHARE_MIN) return grown
  return [`honest callers got ${(100 * share).toFixed(0)} % of what they get in peace`, ...grown]
}

function grewLate({ middleBytes, endBytes }: ProcessReport): boolean {
  return endBytes - middleBytes > Math.max(GROWTH_BYTES_MAX, middleBytes * GROWTH_SHARE_MAX)
}

function mebibytes(bytes: number): string {
  return (bytes / MIB).toFixed(0)
}
