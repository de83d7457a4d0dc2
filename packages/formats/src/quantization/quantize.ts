import type { SourceTensor } from '../weights/source-tensor.ts'
import type { FloatEncoding, SourceEncoding } from './block-format.ts'
import { decodeFloats, storageUnit } from './encoding.ts'

/** Encodings that plain numbers are rounded to here. */
export type RoundedEncoding = 'Q8_0' | 'Q4_0'

/** Numbers of a block of both. */
const BLOCK = 32

/** Rounds of finding the scale that a block's codes fit best, and the codes that fit the scale. */
const FITS = 3

/** Whether the rows of a tensor are plain numbers, and whole blocks of them. */
export function canRound({ encoding, columns }: Pick<SourceTensor, 'encoding' | 'columns'>): boolean {
  return isPlain(encoding) && columns % BLOCK === 0
}

function isPlain(encoding: SourceEncoding): encoding is FloatEncoding {
  return encoding === 'F32' || encoding === 'F16' || encoding === 'BF16'
}

/** A tensor of plain numbers as one of blocks, which are made whenever its rows are read. @see canRound */
export function roundedTensor(tensor: SourceTensor, target: RoundedEncoding): SourceTensor {
  const { encoding, columns } = tensor
  if (!isPlain(encoding)) return tensor
  return {
    ...tensor,
    encoding: target,
    rowBytes: (columns / BLOCK) * storageUnit(target).bytes,
    read: (first, count) => roundBlocks(decodeFloats(encoding, tensor.read(first, count)), target)
  }
}

/**
 * Rounds numbers to blocks, laid out as ggml's. The same bytes on every machine: nothing but IEEE 754's basic operations is used.
 *
 * Q8_0 is what `quantize_row_q8_0_ref` of ggml-quants.c makes. Q4_0 begins as `quantize_row_q4_0_ref` does; then the scale
 * with the least squared error for the codes is found, and the codes anew, as long as the error gets smaller.
 *
 * @param values a multiple of 32 of them
 */
export function roundBlocks(values: Float32Array, target: RoundedEncoding): Uint8Array<ArrayBuffer> {
  const blocks = values.length / BLOCK
  const bytes = storageUnit(target).bytes
  const rounded = new Uint8Array(blocks * bytes)
  const view = new DataView(rounded.buffer)
  const round = target === 'Q8_0' ? roundToBytes : roundToNibbles
  for (let block = 0; block < blocks; block += 1) round(values, block * BLOCK, view, block * bytes)
  return rounded
}

function roundToBytes(values: Float32Array, from: number, target: DataView, to: number): void {
  let largest = 0
  for (let at = from; at < from + BLOCK; at += 1) largest = Math.max(largest, Math.abs(values[at] ?? 0))
  const scale = Math.fround(largest / 127)
  const inverse = scale === 0 ? 0 : Math.fround(1 / scale)
  target.setFloat16(to, scale, true)
  for (let at = 0; at < BLOCK; at += 1) {
    const scaled = Math.fround((values[from + at] ?? 0) * inverse)
    // halves away from zero, as C rounds
    target.setInt8(to + 2 + at, scaled < 0 ? -Math.round(-scaled) : Math.round(scaled))
  }
}

const codes = new Int8Array(BLOCK)
const best = new Int8Array(BLOCK)
const half = new DataView(new ArrayBuffer(2))

function roundToNibbles(values: Float32Array, from: number, target: DataView, to: number): void {
  let extreme = 0
  for (let at = from; at < from + BLOCK; at += 1) {
    const value = values[at] ?? 0
    if (Math.abs(value) > Math.abs(extreme)) extreme = value
  }
  let scale = toHalf(extreme / -8)
  let bestScale = 0
  let bestError = Number.POSITIVE_INFINITY
  for (let fit = 0; fit < FITS; fit += 1) {
    const { error, fitted } = roundByScale(values, from, scale)
    if (!(error < bestError)) break
    bestError = error
    bestScale = scale
    best.set(codes)
    scale = toHalf(fitted)
  }
  target.setFloat16(to, bestScale, true)
  for (let at = 0; at < BLOCK / 2; at += 1) {
    target.setUint8(to + 2 + at, ((best[at] ?? 0) + 8) | (((best[at + BLOCK / 2] ?? 0) + 8) << 4))
  }
}

/** Fills the codes. @returns the squared error, and the scale that these codes fit best */
function roundByScale(values: Float32Array, from: number, scale: number): { error: number; fitted: number } {
  const inverse = scale === 0 ? 0 : 1 / scale
  let error = 0
  let product = 0
  let square = 0
  for (let at = 0; at < BLOCK; at += 1) {
    const value = values[from + at] ?? 0
    const code = Math.max(-8, Math.min(7, Math.round(value * inverse)))
    codes[at] = code
    const rest = value - scale * code
    error += rest * rest
    product += value * code
    square += code * code
  }
  return { error, fitted: square === 0 ? 0 : product / square }
}

function toHalf(value: number): number {
  half.setFloat16(0, value)
  return half.getFloat16(0)
}
