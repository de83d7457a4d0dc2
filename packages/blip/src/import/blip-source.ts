import type { SourceTensor } from '@resultity/formats'
import type { BlipConfig } from '@resultity/interface'

/** One tensor of ours, of the parts that lie one after the other in it. */
export type Parts = readonly [SourceTensor, ...SourceTensor[]]

/** What a tensor of ours is made of, and how it is used. */
export interface Operand {
  readonly name: string
  /** `matrix` is multiplied by, a `table` is looked up or added or convolved with as it lies, a `vector` scales or shifts. */
  readonly use: 'matrix' | 'table' | 'vector'
  readonly parts: Parts
}

/** A BLIP as it is published, with checked shapes and one naming. */
export interface BlipSource extends Disposable {
  readonly config: BlipConfig
  readonly ends: readonly Operand[]
  /** Those that look at the picture, those that read the question, and those that write. */
  readonly layers: readonly (readonly Operand[])[]
}
