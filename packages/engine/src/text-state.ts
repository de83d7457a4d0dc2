import type { AbortOptions } from '@resultity/interface'

/** Keys and values of what is written about, a window or a picture, in memory of the runtime. */
export interface TextSubject extends Disposable {
  /** A text that has no tokens yet. */
  begin(): TextState
}

/** Sizes of what writes a text. */
export interface TextShape {
  readonly textContext: number
  readonly hiddenSize: number
  readonly headCount: number
  readonly vocabularySize: number
}

/** How a graph that writes texts is fed; a run adds its tokens to those that the cache has. */
export interface TextEdges {
  readonly tokens: string
  /** Of a graph that adds the vectors of others to those of its tokens. */
  readonly beside?: string
  readonly positions: string
  readonly firstRow: string
  readonly lastPosition: string
  readonly totalPositions: string
  readonly cache: readonly { readonly past: string; readonly present: string }[]
  readonly logits: string
}

/** Some tokens of a text, one after the other. */
export interface TextRun {
  readonly tokens: readonly number[]
  /** One for each, whose vector is added to its own; less than 0 for none, and so is the default. */
  readonly beside?: readonly number[]
  /** Of the first of them. */
  readonly position: number
  /** The first of them whose logits are wanted; all behind it are, too. */
  readonly firstRow: number
  /** Whether it is wanted where the alignment heads look. */
  readonly needLooks: boolean
}

export interface TextRunResult {
  /** f32 `[tokens - firstRow, vocabularySize]`, the caller's own. */
  readonly logits: Float32Array
  /** f32 `[alignmentHeads, tokens, audioContext]`, the caller's own; empty unless wanted. */
  readonly looks: Float32Array
}

/** A text's keys and values, in memory of the runtime: a run adds to them in place. */
export interface TextState extends Disposable {
  /** What stands behind `position` is written over. */
  run(run: TextRun, options: AbortOptions): Promise<TextRunResult>
  /** Forgets whatever numbers a run that failed has left from `position` on. */
  wipe(position: number): void
}
