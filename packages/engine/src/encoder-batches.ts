import { ENCODER_RUN_TOKENS_MAX } from '@resultity/model'

/** Inputs that run together, each filled up to the longest. */
export interface EncoderBatch {
  /** Places of the inputs among all. */
  readonly indices: readonly number[]
  /** Tokens of the longest. */
  readonly width: number
}

/**
 * Divides inputs into runs of at most {@link ENCODER_RUN_TOKENS_MAX} tokens, filled-up ones included. Inputs of about
 * the same length run together, the longest first, so that little is filled up. Pure.
 *
 * @param lengths tokens of each input
 */
export function planBatches(lengths: readonly number[]): EncoderBatch[] {
  const order = lengths.map((length, index) => ({ length, index })).toSorted((a, b) => b.length - a.length)
  const batches: EncoderBatch[] = []
  let indices: number[] = []
  let width = 0
  for (const { length, index } of order) {
    if (indices.length > 0 && (indices.length + 1) * width > ENCODER_RUN_TOKENS_MAX) {
      batches.push({ indices, width })
      indices = []
    }
    if (indices.length === 0) width = length
    indices.push(index)
  }
  if (indices.length > 0) batches.push({ indices, width })
  return batches
}

/** What the graph takes for one run of `B` inputs of `L` tokens. */
export interface EncoderInputs {
  /** `[B, L]`. */
  readonly tokens: Int32Array
  /** `[B, L]`. */
  readonly types: Int32Array
  /** `[B]`. */
  readonly lengths: Int32Array
  /** `[B, 1, L]`. */
  readonly shares: Float32Array
  readonly count: number
  readonly width: number
}

/** Inputs as token ids; where they are pairs, with where the second text of each begins. */
export interface Pairs {
  readonly inputs: readonly (readonly number[])[]
  readonly seconds?: readonly number[] | undefined
}

/** The type of the tokens of a second text. */
const SECOND = 1

/** Lays the inputs of a batch out for the graph. */
export function batchInputs(batch: EncoderBatch, { inputs, seconds }: Pairs, pooling: 'mean' | 'cls'): EncoderInputs {
  const { indices, width } = batch
  const count = indices.length
  const tokens = new Int32Array(count * width)
  const shares = new Float32Array(count * width)
  const lengths = new Int32Array(count)
  const types = new Int32Array(count * width)
  for (const [row, index] of indices.entries()) {
    const input = inputs[index] ?? []
    tokens.set(input, row * width)
    lengths[row] = input.length
    const second = seconds?.[index]
    if (second !== undefined) types.fill(SECOND, row * width + second, row * width + input.length)
    const [end, share] = pooling === 'mean' ? [input.length, 1 / input.length] : [1, 1]
    shares.fill(share, row * width, row * width + end)
  }
  return { tokens, types, lengths, shares, count, width }
}
