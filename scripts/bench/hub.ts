import { EIGHT_GB, type HubRunReport, runHub, TINY } from '@resultity/testkit/hub'

export interface HubBenchInit {
  /** Nodes among which the layers are divided. */
  readonly nodes: number
  /** A checkpoint of some megabytes in place of the one of 8 GB. */
  readonly tiny: boolean
  /** In GGUF, with 8 bits a number. */
  readonly gguf: boolean
  log(line: string): void
}

/** A checkpoint of 8 GB that takes no disk, described by a coordinator and made by nodes; both are killed in the middle. */
export async function benchHub({ nodes, tiny, gguf, log }: HubBenchInit): Promise<HubRunReport> {
  return await runHub({ ...(tiny ? { shape: TINY, shards: 2 } : { shape: EIGHT_GB, shards: 4 }), gguf, nodes, log })
}

const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`

export function renderHub(report: HubRunReport): string {
  const { coordinator, coordinatorAgain, nodes, killed } = report
  const rows = [
    ['party', 'read from the hub', 'peak memory', 'disk', 'time'],
    ...[coordinator, { ...coordinatorAgain, name: 'coordinator, killed and started again' }, ...nodes].map(party => [
      party.name,
      mb(party.bytesRead),
      mb(party.peakBytes),
      mb(party.diskBytes),
      `${party.seconds.toFixed(1)} s`
    ])
  ]
  const table = rows.map(row => `| ${row.join(' | ')} |`)
  table.splice(1, 0, `|${' --- |'.repeat(5)}`)
  return [
    `checkpoint ${mb(report.weightBytes)}, weight files ${mb(report.madeBytes)}, ${report.seconds.toFixed(0)} s in all`,
    ...table,
    `${nodes.at(-1)?.name} was killed when ${mb(killed.bytesRead)} of about ${mb(killed.rangeBytes)} had come, and went on`,
    ''
  ].join('\n')
}
