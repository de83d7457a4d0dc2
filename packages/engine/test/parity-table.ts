import { isGreen, type Parity, type RoundedParity } from './family-parity.ts'

const HEADER = [
  'model',
  'model type',
  'transformers',
  'weights',
  'positions',
  'cosine',
  'best token',
  'cut',
  'q8',
  'q4',
  'GGUF',
  ''
]

/** A table in Markdown, a row for each model. */
export function parityTable(rows: readonly Parity[]): string {
  const cells = [HEADER, ...rows.map(cellsOf)]
  const widths = HEADER.map((_, column) => Math.max(3, ...cells.map(row => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |\n`
  const [header = [], ...body] = cells
  return [line(header), line(widths.map(width => '-'.repeat(width))), ...body.map(line)].join('')
}

function cellsOf(parity: Parity): string[] {
  const { model, family, reference, weights, positions, wrong, cuts, otherBits, rounded, gguf } = parity
  return [
    model,
    family,
    reference,
    weights,
    String(positions),
    shown(parity.cosine),
    wrong.length === 0 ? 'the same' : `${wrong.length} differ`,
    otherBits.length === 0 ? `${cuts} of ${cuts} the same bits` : otherBits.join('; '),
    rounded === undefined ? '' : roundedCell(rounded.q8),
    rounded === undefined ? '' : roundedCell(rounded.q4),
    gguf === undefined
      ? ''
      : gguf.differences.length === 0
        ? 'the same files'
        : `differs: ${gguf.differences.join(', ')}`,
    isGreen(parity) ? 'green' : 'red'
  ]
}

/** Rounded down, for processors differ; and which part of the bytes is left. */
function roundedCell({ medianCosine, share }: RoundedParity): string {
  return `≥ ${(Math.floor(medianCosine * 1e3) / 1e3).toFixed(3)}, ${Math.round(share * 100)} %`
}

/** Rounded down to five digits: processors differ in the seventh. */
function shown(cosine: number): string {
  return `≥ ${(Math.floor(cosine * 1e5) / 1e5).toFixed(5)}`
}
