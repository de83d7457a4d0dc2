import Table from 'cli-table3'
import type { ChaosBench } from './chaos.ts'

/** The report as a table for a terminal. */
export function renderChaos({ seed, rows, missed }: ChaosBench): string {
  const head = ['fault', 'runs', 'identical', 'different', 'failed', 'exact', 'pause p50 ms', 'p95', 'max']
  const table = new Table({ head, style: { head: [], border: [] } })
  for (const { kind, runs, identical, different, failed, exact, p50Ms, p95Ms, maxMs } of rows) {
    const pauses = [p50Ms, p95Ms, maxMs].map(ms => (Number.isNaN(ms) ? '–' : ms.toFixed(0)))
    table.push([kind, runs, identical, different, failed, exact, ...pauses])
  }
  const end = missed.length === 0 ? 'every answer was the undisturbed one' : `MISSED ${missed.join(', ')}`
  return [`seed ${seed}`, table.toString(), end, ''].join('\n')
}
