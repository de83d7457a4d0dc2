import type { SourceTensor } from '@resultity/formats'
import type { BarkConfig } from '@resultity/interface'

/** Tensors that lie one after the other in one of ours. */
export type Parts = readonly [SourceTensor, ...SourceTensor[]]

/** What a tensor of ours is made of, and how it is used. */
export interface Operand {
  readonly name: string
  /** `matrix` is multiplied by, a `table` is looked up or convolved with as it lies, a `vector` scales or shifts. */
  readonly use: 'matrix' | 'table' | 'vector'
  readonly parts: Parts
}

/** What one voice has said, row by row: codes of each codebook one after the other. */
export interface VoicePrompt {
  readonly name: string
  readonly language: string
  readonly semantic: readonly number[]
  readonly coarse: readonly (readonly number[])[]
  readonly fine: readonly (readonly number[])[]
}

/** A Bark as it is published, with checked shapes and one naming. */
export interface BarkSource extends Disposable {
  readonly config: BarkConfig
  /** A file each, in the manifest's order. */
  readonly files: readonly (readonly Operand[])[]
  /** In the order of their numbers. */
  readonly voices: readonly VoicePrompt[]
}
