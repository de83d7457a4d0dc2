import Table from 'cli-table3'
import type { ImagesReport } from './images.ts'

const MIB = 1024 * 1024

/** The report as a table for a terminal. */
export function renderImages({ threads, rounds, rows }: ImagesReport): string {
  const table = new Table({
    head: ['model', 'picture', '', 'steps/s', 'of ours', 'text ms', 'decoder ms', 'peak MiB'],
    style: { head: [], border: [] }
  })
  for (const { model, side, name, stepsPerSecond, ratio, textMs, decoderMs, peakBytes } of rows) {
    table.push([
      model,
      `${side} × ${side}`,
      name,
      stepsPerSecond.toFixed(2),
      ratio?.toFixed(2) ?? '',
      textMs.toFixed(1),
      decoderMs.toFixed(0),
      (peakBytes / MIB).toFixed(0)
    ])
  }
  return `${threads} threads, medians of ${rounds} rounds; a step runs the denoiser twice\n${table.toString()}\n`
}
