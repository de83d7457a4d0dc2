import Table from 'cli-table3'
import type { ImagesReport } from './images.ts'

const MIB = 1024 * 1024

/** The report as a table for a terminal. */
export function renderImages({ threads, rounds, rows, nodes, missed }: ImagesReport): string {
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
  const parts = [`${threads} threads, medians of ${rounds} rounds; a step runs the denoiser twice`]
  if (rows.length > 0) parts.push(table.toString())
  if (nodes.length > 0) parts.push(nodesTable(nodes))
  if (missed.length > 0) parts.push(`missed: ${missed.join('; ')}`)
  return [...parts, ''].join('\n')
}

function nodesTable(nodes: ImagesReport['nodes']): string {
  const table = new Table({
    head: ['nodes of one thread', 'picture', 'seconds', 'speedup', ''],
    style: { head: [], border: [] }
  })
  for (const { nodes: count, side, seconds, speedup, samePicture } of nodes) {
    table.push([
      count,
      `${side} × ${side}`,
      seconds.toFixed(1),
      speedup.toFixed(2),
      samePicture ? 'the same' : 'differs'
    ])
  }
  return table.toString()
}
