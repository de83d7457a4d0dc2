import type { FileExtent } from '../file-extent.ts'
import type { SourceEncoding } from '../quantization/encoding.ts'

/** A tensor of a model file, as the file has it. */
export interface SourceTensor {
  /** Its name in the file, for errors. */
  readonly name: string
  readonly encoding: SourceEncoding
  /** Outputs of a matrix; 1 for a vector. */
  readonly rows: number
  /** Inputs of a matrix, or the size of a vector. */
  readonly columns: number
  /** Bytes of one row. */
  readonly rowBytes: number
  /** Set where rows are stored in the order of interleaved rotary pairs: the size of a head. */
  readonly interleavedHeadDim?: number
  /** Added to every number. */
  readonly addend?: number
  /** Where its rows lie, one behind the other; absent where only whole files are read. */
  readonly extent?: FileExtent
  /** Reads rows `[first, first + count)` in the order of the file. */
  read(first: number, count: number): Uint8Array<ArrayBuffer>
}
