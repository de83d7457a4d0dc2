import { z } from 'zod'

const size = z.int().positive()
/** A number of tensors or blocks: with what it is multiplied by, still exact in a double. */
const dimension = size.max(16_777_216)
const extent = z.object({ offset: z.int().nonnegative(), bytes: size })

/** A tensor stored as plain numbers, little endian. A matrix is stored as its consumer reads it, see `layout`. */
const plainTensorSchema = z.object({
  name: z.string().max(64),
  encoding: z.enum(['f32', 'f16', 'bf16']),
  /** A vector is `[size]`; a projection `[in, out]`, ready for `x · W`; an embedding or head `[vocabulary, hidden]`. */
  shape: z.array(dimension).min(1).max(2),
  data: extent
})

/**
 * A matrix of `rows` outputs × `columns` inputs, quantized in blocks along the inputs, in the layout of ONNX
 * Runtime's `MatMulNBits`: value = scale · (q − zero), zero = 8 for q4 and 128 for q8.
 *
 * Where the source format has a per-block minimum (Q4_1), blocks have zero points of their own, and `meanColumns` further
 * columns stand behind the others, copies of one column for each block of inputs: the column k of a copy multiplies the
 * mean of the inputs of block k.
 */
const quantizedTensorSchema = z.strictObject({
  name: z.string().max(64),
  encoding: z.enum(['q4', 'q8']),
  rows: dimension,
  columns: dimension,
  /** A multiple of `columns / blockSize`; absent when there are none. */
  meanColumns: dimension.optional(),
  blockSize: z.literal([16, 32, 64, 128, 256]),
  /** `[rows, blocks, blockSize·bits/8]` bytes, with enough blocks for all columns; for q4 the low nibble is the even column. */
  data: extent,
  /** f32 `[rows, blocks]`. */
  scales: extent,
  /** `[rows, ⌈blocks·bits/8⌉]` bytes, the low nibble first for q4; absent when every zero is 8 or 128. */
  zeroPoints: extent.optional()
})

export const tensorEntrySchema = z.union([plainTensorSchema, quantizedTensorSchema])
export type PlainTensor = z.infer<typeof plainTensorSchema>
export type QuantizedTensor = z.infer<typeof quantizedTensorSchema>
export type TensorEntry = z.infer<typeof tensorEntrySchema>
