import type { Picture } from './picture.ts'
import { resizeLanczos } from './resizing.ts'

/** How a model cuts pictures: Idefics 3 (Laurençon et al., arXiv:2408.12637) and SmolVLM. */
export interface PieceSizes {
  /** Pixels a side of a piece. */
  readonly imageSize: number
  /** Pixels of the longer side that a picture is brought to before it is cut. */
  readonly longestEdge: number
}

type Size = Pick<Picture, 'width' | 'height'>

/** Rows and columns that a picture is cut into; none of either: it is looked at as a whole only. */
export interface PieceGrid {
  readonly rows: number
  readonly columns: number
}

/** No side of a picture is longer once it was brought to its size. */
const SIDE_MAX = 4096

/** Into what a picture of this size is cut. In the arithmetic of `Idefics3ImageProcessor`. */
export function pieceGrid(size: Size, sizes: PieceSizes): PieceGrid {
  const { rows, columns } = cutSize(size, sizes)
  return rows === 1 && columns === 1 ? { rows: 0, columns: 0 } : { rows, columns }
}

/** Pieces of a picture, the whole as one of them. */
export function pieceCount({ rows, columns }: PieceGrid): number {
  return rows * columns + 1
}

/**
 * The pieces of a picture, row by row, and behind them the whole as one more: u8 `[imageSize, imageSize, 3]` each. It is first
 * brought to its size, whatever that does to its sides, then cut, and what was cut is shrunk. Byte for byte what
 * `Idefics3ImageProcessor` makes with Pillow. It takes seconds for a large one: a thread's work.
 */
export function picturePieces(picture: Picture, sizes: PieceSizes): Uint8Array[] {
  const { imageSize: side, longestEdge } = sizes
  const { rows, columns } = cutSize(picture, sizes)
  const whole = resizeLanczos(resizeLanczos(picture, longestSize(picture, longestEdge)), {
    width: columns * side,
    height: rows * side
  })
  if (rows === 1 && columns === 1) return [whole.rgb]
  const places = Array.from({ length: rows * columns }, (_, at) => [Math.floor(at / columns), at % columns] as const)
  const pieces = places.map(([row, column]) => pieceAt(whole, { x: column * side, y: row * side }, side))
  return [...pieces, resizeLanczos(whole, { width: side, height: side }).rgb]
}

function cutSize(size: Size, { imageSize, longestEdge }: PieceSizes): PieceGrid {
  const { width, height } = longestSize(size, longestEdge)
  const ratio = width / height
  if (width >= height) {
    const columns = Math.ceil(width / imageSize)
    return { columns, rows: Math.ceil(Math.trunc((columns * imageSize) / ratio) / imageSize) }
  }
  const rows = Math.ceil(height / imageSize)
  return { rows, columns: Math.ceil(Math.trunc(rows * imageSize * ratio) / imageSize) }
}

/** With that longer side, and the other one even. */
function longestSize({ width, height }: Size, longestEdge: number): Size {
  const ratio = width / height
  const even = (length: number): number => Math.max(1, length + (length % 2))
  const size =
    width >= height
      ? { width: longestEdge, height: even(Math.trunc(longestEdge / ratio)) }
      : { height: longestEdge, width: even(Math.trunc(longestEdge * ratio)) }
  return bounded(size)
}

function bounded({ width, height }: Size): Size {
  const ratio = width / height
  if (width >= height && width > SIDE_MAX) {
    return { width: SIDE_MAX, height: Math.max(1, Math.trunc(SIDE_MAX / ratio)) }
  }
  if (height > width && height > SIDE_MAX) return { height: SIDE_MAX, width: Math.max(1, Math.trunc(SIDE_MAX * ratio)) }
  return { width, height }
}

function pieceAt({ width, rgb }: Picture, { x, y }: { x: number; y: number }, side: number): Uint8Array {
  const piece = new Uint8Array(3 * side * side)
  for (let row = 0; row < side; row++) {
    const start = 3 * ((y + row) * width + x)
    piece.set(rgb.subarray(start, start + 3 * side), 3 * row * side)
  }
  return piece
}
