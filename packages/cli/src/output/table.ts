import Table from 'cli-table3'
import { dim, joined, type Piece, type Text, text } from './text.ts'
import { visible } from './visible.ts'

const BORDERLESS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '  ',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  '
}

/** A longer cell is cut: the name of one node must not push the others out of sight. */
const CELL_CHARACTERS_MAX = 100

/** Rows under headings, in columns as wide as they need to be. Cells may contain foreign text. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): Text {
  const table = new Table({
    chars: BORDERLESS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 }
  })
  // cells are made safe before they are measured, so that columns are as wide as the visible text
  table.push([...headings], ...rows.map(row => row.map(fit)))
  const lines: Piece[] = table.toString().split('\n')
  const [head = '', ...body] = lines
  return text`${joined([dim(head), ...body], '\n')}\n`
}

function fit(cell: string): string {
  const characters = [...visible(cell)]
  return characters.length <= CELL_CHARACTERS_MAX
    ? characters.join('')
    : `${characters.slice(0, CELL_CHARACTERS_MAX - 1).join('')}…`
}

/** The end of a peer id, which is where two of them differ. */
export function shortPeer(peerId: string): string {
  return peerId.length <= 12 ? peerId : `…${peerId.slice(-8)}`
}
