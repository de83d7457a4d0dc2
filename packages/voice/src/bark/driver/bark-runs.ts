import type { AbortOptions } from '@resultity/interface'

/** Tokens that are written one after the other, with their keys and values. */
export interface WrittenTokens extends Disposable {
  /**
   * Reads tokens at `position` and behind it; what stood there is written over.
   *
   * @param beside one for each, whose vector is added to its own; less than 0 for none
   * @returns logits behind the last one
   */
  run(
    tokens: readonly number[],
    position: number,
    options: AbortOptions,
    beside?: readonly number[]
  ): Promise<Float32Array>
}

/** The four graphs of a Bark in some runtime. One run at a time. */
export interface BarkRuns {
  begin(part: 'semantic' | 'coarse'): WrittenTokens
  /**
   * Codes of one more codebook.
   *
   * @param rows `[frames, books]`, of the table of all codebooks; the last book is the one that is asked about
   * @returns logits f32 `[frames, vocabularySize]`
   */
  refine(rows: Int32Array, books: number, options: AbortOptions): Promise<Float32Array>
  /**
   * Samples of codes.
   *
   * @param rows `[frames, books]`, of the table of all codes
   */
  sound(rows: Int32Array, options: AbortOptions): Promise<Float32Array>
}
