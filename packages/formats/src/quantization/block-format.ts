/** How matrices and vectors are stored in the files that models come in; names are ggml's. */
export type SourceEncoding = FloatEncoding | QuantizedEncoding
export type FloatEncoding = 'F32' | 'F16' | 'BF16'
export type QuantizedEncoding = 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1' | 'Q8_0' | 'Q4_K' | 'Q5_K' | 'Q6_K'

/**
 * A ggml block format and how it becomes ours without loss: value = scale · (q − zero) + correction, with
 * zero 8 for q4 and 128 for q8. Layouts are those of `ggml-common.h`, formulas those of `ggml-quants.c`.
 */
export interface BlockFormat {
  /** Weights in one block of the source format. */
  readonly sourceWeights: number
  /** Bytes of one block of the source format. */
  readonly sourceBytes: number
  /** Bits of one of our quantized values. */
  readonly bits: 4 | 8
  /** Weights in one of our blocks; a source block becomes `sourceWeights / blockSize` of them. */
  readonly blockSize: 16 | 32
  /** Whether blocks have a minimum, which needs a correction. */
  readonly corrected: boolean
  /** Re-packs the block at `from` into `bits · sourceWeights / 8` bytes at `to`. */
  pack(source: Uint8Array, from: number, target: Uint8Array, to: number): void
  /** Writes the scale and, where corrected, the correction of each of our blocks. */
  scale(source: Uint8Array, from: number, scales: Float32Array, corrections: Float32Array, to: number): void
}
