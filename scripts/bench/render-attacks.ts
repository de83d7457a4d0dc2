import Table from 'cli-table3'
import type { AttacksBench } from './attacks.ts'

const MIB = 1024 * 1024

/** The report as tables for a terminal. */
export function renderAttacks({ report, missed }: AttacksBench): string {
  const { seed, rows, turns, share, right, faults, processes, loggedErrors } = report
  const style = { head: [], border: [] }
  const attacks = new Table({ head: ['attack', 'tries', 'refused', 'what the attacker saw'], style })
  for (const { name, tries, refused, seen } of rows) {
    attacks.push([
      name,
      tries,
      refused,
      Object.entries(seen)
        .map(([one, count]) => `${count} × ${one}`)
        .join(', ')
    ])
  }
  const honest = new Table({ head: ['turn', 'tokens a second in peace', 'under attack'], style })
  for (const [index, { peace, attacked }] of turns.entries()) {
    honest.push([index + 1, ...[peace, attacked].map(({ tokens, seconds }) => (tokens / seconds).toFixed(1))])
  }
  const head = ['process', 'MiB at start', 'middle', 'end', 'peak', 'open files at start', 'peak', 'end']
  const memory = new Table({ head, style })
  for (const { name, startBytes, middleBytes, endBytes, peakBytes, ...files } of processes) {
    const bytes = [startBytes, middleBytes, endBytes, peakBytes].map(value => (value / MIB).toFixed(0))
    memory.push([name, ...bytes, files.openFilesAtStart, files.openFilesAtPeak, files.openFilesAtEnd])
  }
  return [
    `seed ${seed}`,
    attacks.toString(),
    honest.toString(),
    `honest callers got ${(100 * share).toFixed(1)} % of what they get in peace; ${right} answers were right, ${faults.length} wrong`,
    memory.toString(),
    ...Object.entries(loggedErrors).map(([message, count]) => `logged ${count} times: ${message}`),
    ...missed.map(what => `MISSED ${what.replaceAll('\n', ' ').slice(0, 500)}`),
    missed.length === 0 ? 'nothing was missed' : `${missed.length} missed`,
    ''
  ].join('\n')
}
