import type { BlockFormat } from './block-format.ts'

/**
 * How a corrected format's constants are stored: value = scale · (q − zero) + constant.
 *
 * The whole steps of a constant go into the block's zero point, which the runtime's kernels subtract at no cost. Its rest,
 * half a step at the most, adds (rest · blockSize) · (mean of the block's inputs) to a product: a weight like any other,
 * of further columns behind the matrix's own, quantized as these are. One digit of 8 bits or two of 4 leave an error
 * that logits do not show (docs/engine.md). A float zero point would be exact, and falls off the fast kernel.
 */
export interface MinimaLayout {
  /** Columns behind the matrix's own: copies of one column for each of its blocks. */
  readonly meanColumns: number
  /** First column of each digit's copy among these; the other copies hold zeros. */
  readonly digitStarts: readonly number[]
  /** Quantized blocks of a row, those columns' included; the last may be filled up. */
  readonly blocks: number
  /** Bytes of a row's zero points. */
  readonly zeroPointBytes: number
}

/** Digits never share a quantized block: its one scale could not serve both a digit and the next. */
export function minimaLayout(format: BlockFormat, columns: number): MinimaLayout {
  const { blockSize, bits } = format
  const copy = columns / blockSize
  const digitStarts = [0]
  if (bits === 4) digitStarts.push(Math.ceil((Math.ceil(copy / blockSize) * blockSize) / copy) * copy)
  const meanColumns = (digitStarts.at(-1) ?? 0) + copy
  const blocks = copy + Math.ceil(meanColumns / blockSize)
  return { meanColumns, digitStarts, blocks, zeroPointBytes: Math.ceil((blocks * bits) / 8) }
}

/** What stands behind one row's codes and scales, and its zero points. */
export interface EncodedMinima {
  /** Codes of the further columns. */
  readonly data: Uint8Array<ArrayBuffer>
  /** Scales of the further columns' blocks. */
  readonly scales: Float32Array<ArrayBuffer>
  /** One for every block of the row, packed as codes are. */
  readonly zeroPoints: Uint8Array<ArrayBuffer>
}

/**
 * Encodes one row's constants.
 *
 * @param scales of the row's blocks
 * @param constants of the row's blocks
 */
export function encodeMinima(format: BlockFormat, scales: Float32Array, constants: Float32Array): EncodedMinima {
  const { blockSize, bits } = format
  const layout = minimaLayout(format, constants.length * blockSize)
  const zero = 2 ** (bits - 1)
  const zeroPoints = new Uint8Array(layout.blocks).fill(zero)
  const rests = constants.map((constant, block) => {
    const scale = scales[block] ?? 0
    if (scale === 0) return constant
    const point = Math.max(0, Math.min(2 * zero - 1, Math.round(zero - constant / scale)))
    zeroPoints[block] = point
    return constant - scale * (zero - point)
  })
  const further = encodeColumns(format, layout, rests)
  return { ...further, zeroPoints: packCodes(zeroPoints, bits) }
}

/** Quantizes `rests · blockSize` digit by digit, with the middle of the codes as zero point. */
function encodeColumns(
  format: BlockFormat,
  layout: MinimaLayout,
  rests: Float32Array
): Omit<EncodedMinima, 'zeroPoints'> {
  const { blockSize, bits } = format
  const zero = 2 ** (bits - 1)
  const blocks = layout.blocks - rests.length
  const codes = new Uint8Array(blocks * blockSize).fill(zero)
  const scales = new Float32Array(blocks)
  const left = Float64Array.from(rests, rest => rest * blockSize)
  for (const start of layout.digitStarts) {
    for (const [index, value] of left.entries()) {
      const block = Math.floor((start + index) / blockSize)
      scales[block] = Math.max(scales[block] ?? 0, Math.abs(value) / (zero - 1))
    }
    for (const [index, value] of left.entries()) {
      const scale = scales[Math.floor((start + index) / blockSize)] ?? 0
      // rounding the scale to f32 may push the largest value a hair beyond the last code
      const code = scale === 0 ? 0 : Math.max(1 - zero, Math.min(zero - 1, Math.round(value / scale)))
      codes[start + index] = code + zero
      left[index] = value - scale * code
    }
  }
  return { data: packCodes(codes, bits), scales }
}

/** Codes of 8 bits as they are, codes of 4 two to a byte, the first in the low nibble. */
function packCodes(codes: Uint8Array<ArrayBuffer>, bits: 4 | 8): Uint8Array<ArrayBuffer> {
  if (bits === 8) return codes
  const packed = new Uint8Array(Math.ceil(codes.length / 2))
  for (const [index, code] of codes.entries())
    packed[index >> 1] = (packed[index >> 1] ?? 0) | (code << (4 * (index & 1)))
  return packed
}
