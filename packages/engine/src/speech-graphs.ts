import type { AbortOptions } from '@resultity/interface'

/** The two graphs of a speech model in some runtime: what an engine adds to `WholeSpeechModel`. One run at a time. */
export interface SpeechGraphs extends AsyncDisposable {
  /**
   * Hears a window.
   *
   * @param mel f32 `[melBins, 2 · audioContext]`
   */
  hear(mel: Float32Array, options: AbortOptions): Promise<WindowState>
}

/** Keys and values of a window, in memory of the runtime. */
export interface WindowState extends Disposable {
  /** A text that has no tokens yet. */
  begin(): TextState
}

/** Some tokens of a text, one after the other. */
export interface TextRun {
  readonly tokens: readonly number[]
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
