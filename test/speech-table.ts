import type { SpeechParity } from './speech-parity.ts'

const HEADER = ['system', 'weights', 'reference', 'compared', 'figures', '']

/** A table in Markdown, a row for each system. */
export function speechTable(rows: readonly SpeechParity[]): string {
  const cells = [
    HEADER,
    ...rows.map(({ system, weights, reference, compared, figures, green }) => {
      return [system, weights, reference, compared, figures, green ? 'green' : 'red']
    })
  ]
  const widths = HEADER.map((_, column) => Math.max(3, ...cells.map(row => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |\n`
  const [header = [], ...body] = cells
  return [line(header), line(widths.map(width => '-'.repeat(width))), ...body.map(line)].join('')
}
