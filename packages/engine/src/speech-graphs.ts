import type { AbortOptions, WhisperConfig } from '@resultity/interface'
import type { TextShape, TextSubject } from './text-state.ts'

/** The two graphs of a speech model in some runtime: what an engine adds to `WholeSpeechModel`. One run at a time. */
export interface SpeechGraphs extends AsyncDisposable {
  /**
   * Hears a window.
   *
   * @param mel f32 `[melBins, 2 · audioContext]`
   */
  hear(mel: Float32Array, options: AbortOptions): Promise<TextSubject>
}

/** Of a speech model. */
export function textShapeOf({ textContext, hiddenSize, decoderHeadCount, vocabularySize }: WhisperConfig): TextShape {
  return { textContext, hiddenSize, headCount: decoderHeadCount, vocabularySize }
}
