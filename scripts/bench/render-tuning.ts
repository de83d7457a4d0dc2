import Table from 'cli-table3'
import type { Comparison, LeftOut, TuningCost, TuningReport } from './tuning.ts'

const MIB = 1024 * 1024
/** A measure that brings less in every figure is not worth its code. */
const WORTH_MIN = 0.03

/** The report as tables for a terminal, one for each number of stages. */
export function renderTuning({ model, threads, rounds, workload, costs }: TuningReport): string {
  const tables = [...Map.groupBy(costs, ({ stages }) => stages)].map(([stages, rows]) => {
    const table = new Table({
      head: ['without', 'decode', 'prefill', 'MiB of nodes', 'MiB of coordinator', 'costs'],
      style: { head: [], border: [] }
    })
    for (const row of rows) {
      table.push([
        row.leftOut,
        speed(row.decode),
        speed(row.prefill),
        memory(row.nodeBytes),
        memory(row.coordinatorBytes),
        `${(100 * worth(row)).toFixed(1)} %`
      ])
    }
    const on = rows[0]
    const speeds = `decode ${on?.decode.on.toFixed(1)}, prefill ${on?.prefill.on.toFixed(1)} tok/s with all measures`
    return `${stages} ${stages === 1 ? 'stage' : 'stages'}, ${speeds}\n${table.toString()}`
  })
  return [
    `${model}: prompt ${workload.promptTokens}, ${workload.decodeTokens} tokens, ${threads} threads, medians of ${rounds} rounds (least–greatest)`,
    ...tables,
    `below ${100 * WORTH_MIN} % in every figure: ${idle(costs).join(', ') || 'none'}`,
    ''
  ].join('\n')
}

/** The largest share that is lost, in speed or memory, without a measure. */
function worth({ decode, prefill, nodeBytes, coordinatorBytes }: TuningCost): number {
  return Math.max(1 - decode.ratio, 1 - prefill.ratio, nodeBytes.ratio - 1, coordinatorBytes.ratio - 1)
}

function idle(costs: readonly TuningCost[]): LeftOut[] {
  return [...Map.groupBy(costs, ({ leftOut }) => leftOut)]
    .filter(([, rows]) => rows.every(row => worth(row) < WORTH_MIN))
    .map(([leftOut]) => leftOut)
}

function speed({ ratio, ratioRange }: Comparison): string {
  return `${ratio.toFixed(3)} (${ratioRange.map(value => value.toFixed(2)).join('–')})`
}

function memory({ on, ratio, ratioRange }: Comparison): string {
  const more = (value: number): string => {
    const mib = Math.round((on * (value - 1)) / MIB)
    return mib < 0 ? `−${-mib}` : `+${mib}`
  }
  return `${(on / MIB).toFixed(0)} ${more(ratio)} (${ratioRange.map(more).join(' … ')})`
}
