import Table from 'cli-table3'
import type { HostileBench } from './hostile.ts'

const MIB = 1024 * 1024

/** The report as tables for a terminal. */
export function renderHostile({ report, missed }: HostileBench): string {
  const { seed, cases, seconds, honest, stalls, late, dataBytes, loggedErrors } = report
  const style = { head: [], border: [] }
  const outcomes = new Table({ head: ['cases', 'what came of them'], style })
  for (const [idea, counts] of Object.entries(report.outcomes)) {
    const parts = Object.entries(counts).map(([came, count]) => `${count} × ${came}`)
    outcomes.push([idea, parts.join(', ')])
  }
  const probes = new Table({ head: ['probed', 'probes', 'p50 ms', 'p99 ms', 'max ms'], style })
  for (const [target, { probes: count, ...times }] of Object.entries(report.probe.latencies)) {
    probes.push([target, count, ...[times.p50Ms, times.p99Ms, times.maxMs].map(ms => ms.toFixed(1))])
  }
  const memory = new Table({
    head: ['process', 'MiB at start', 'middle', 'end', 'peak', 'MiB/h', 'open files at start', 'peak', 'end'],
    style
  })
  for (const process of report.processes) {
    const { startBytes, middleBytes, endBytes, peakBytes, growthBytesPerHour } = process
    const bytes = [startBytes, middleBytes, endBytes, peakBytes, growthBytesPerHour]
    const { openFilesAtStart, openFilesAtPeak, openFilesAtEnd } = process
    memory.push([
      process.name,
      ...bytes.map(value => (value / MIB).toFixed(0)),
      openFilesAtStart,
      openFilesAtPeak,
      openFilesAtEnd
    ])
  }
  const slowest = stalls.toSorted((a, b) => b.ms - a.ms).slice(0, 5)
  return [
    `seed ${seed}: ${cases} cases in ${seconds.toFixed(0)} s, ${late.length} of which had no answer in time`,
    outcomes.toString(),
    probes.toString(),
    memory.toString(),
    `honest answers: ${honest.right} right, ${honest.refused} refused, ${honest.faults.length} wrong`,
    `left over: ${JSON.stringify(report.leftovers)}; data directory: ${(dataBytes / MIB).toFixed(0)} MiB`,
    ...Object.entries(loggedErrors).map(([message, count]) => `logged ${count} times: ${message}`),
    ...slowest.map(
      ({ target, ms, out }) => `${target} took ${ms.toFixed(0)} ms beside cases ${out.map(({ index }) => index)}`
    ),
    ...missed.map(what => `MISSED ${what.replaceAll('\n', ' ').slice(0, 500)}`),
    missed.length === 0 ? 'nothing was missed' : `${missed.length} missed`,
    ''
  ].join('\n')
}
