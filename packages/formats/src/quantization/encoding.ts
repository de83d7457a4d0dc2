import type { BlockFormat, FloatEncoding, QuantizedEncoding, SourceEncoding } from './block-format.ts'
import { bits16At, halfAt } from './float16.ts'
import { q4_K, q5_K, q6_K } from './k-formats.ts'
import { q4_0, q4_1, q5_0, q5_1, q8_0 } from './legacy-formats.ts'

export type { BlockFormat, FloatEncoding, QuantizedEncoding, SourceEncoding } from './block-format.ts'

const formats: Readonly<Record<QuantizedEncoding, BlockFormat>> = {
  Q4_0: q4_0,
  Q4_1: q4_1,
  Q5_0: q5_0,
  Q5_1: q5_1,
  Q8_0: q8_0,
  Q4_K: q4_K,
  Q5_K: q5_K,
  Q6_K: q6_K
}

function isFloatEncoding(encoding: SourceEncoding): encoding is FloatEncoding {
  return encoding === 'F32' || encoding === 'F16' || encoding === 'BF16'
}

/** The block format of a quantized encoding, undefined for plain numbers. */
export function blockFormat(encoding: SourceEncoding): BlockFormat | undefined {
  return isFloatEncoding(encoding) ? undefined : formats[encoding]
}

/** Weights and bytes of the smallest unit that an encoding stores; a row is a whole number of units. */
export function storageUnit(encoding: SourceEncoding): { weights: number; bytes: number } {
  if (isFloatEncoding(encoding)) return { weights: 1, bytes: encoding === 'F32' ? 4 : 2 }
  const format = formats[encoding]
  return { weights: format.sourceWeights, bytes: format.sourceBytes }
}

/** Decodes plain numbers to f32. */
export function decodeFloats(encoding: FloatEncoding, source: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const count = source.byteLength / storageUnit(encoding).bytes
  if (encoding === 'F32') {
    // a typed array cannot view an unaligned offset
    return source.byteOffset % 4 === 0
      ? new Float32Array(source.buffer, source.byteOffset, count)
      : new Float32Array(source.slice().buffer)
  }
  const values = new Float32Array(count)
  if (encoding === 'F16') {
    for (let index = 0; index < count; index += 1) values[index] = halfAt(source, 2 * index)
  } else {
    // a bfloat16 is the upper half of a float
    const bits = new Uint32Array(values.buffer)
    for (let index = 0; index < count; index += 1) bits[index] = bits16At(source, 2 * index) << 16
  }
  return values
}

/** Re-packs whole source blocks, in order. */
export function packValues(format: BlockFormat, source: Uint8Array): Uint8Array<ArrayBuffer> {
  const blocks = source.byteLength / format.sourceBytes
  const packedBytes = (format.sourceWeights * format.bits) / 8
  const data = new Uint8Array(blocks * packedBytes)
  for (let block = 0; block < blocks; block += 1) {
    format.pack(source, block * format.sourceBytes, data, block * packedBytes)
  }
  return data
}

/** One value for each of our blocks, in order. */
export interface BlockScales {
  readonly scales: Float32Array<ArrayBuffer>
  /** Zeros when the format has none. */
  readonly corrections: Float32Array<ArrayBuffer>
}

/** Scales and corrections of whole source blocks. */
export function blockScales(format: BlockFormat, source: Uint8Array): BlockScales {
  const blocks = source.byteLength / format.sourceBytes
  const ratio = format.sourceWeights / format.blockSize
  const scales = new Float32Array(blocks * ratio)
  const corrections = new Float32Array(blocks * ratio)
  for (let block = 0; block < blocks; block += 1) {
    format.scale(source, block * format.sourceBytes, scales, corrections, block * ratio)
  }
  return { scales, corrections }
}

/** Decodes any encoding to f32. */
export function dequantize(encoding: SourceEncoding, source: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  if (isFloatEncoding(encoding)) return decodeFloats(encoding, source)
  const format = formats[encoding]
  const data = packValues(format, source)
  const { scales, corrections } = blockScales(format, source)
  const values = new Float32Array(scales.length * format.blockSize)
  for (let index = 0; index < values.length; index += 1) {
    const block = Math.floor(index / format.blockSize)
    const q = format.bits === 8 ? (data[index] ?? 0) - 128 : (((data[index >> 1] ?? 0) >> (4 * (index & 1))) & 15) - 8
    values[index] = (scales[block] ?? 0) * q + (corrections[block] ?? 0)
  }
  return values
}
