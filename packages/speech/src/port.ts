import type { WhisperConfig, WorkOptions } from '@resultity/interface'

/** Seconds from one timestamp token to the next, and from one position of the encoder to the next. */
export const TIMESTAMP_SECONDS = 0.02

/** Frames of the spectrogram in a second. */
export const FRAMES_PER_SECOND = 100

/** Frames to one position of the encoder. */
export const FRAMES_PER_POSITION = 2

/** What decoding needs of a whole speech model that is loaded: the engine's port has more. */
export interface SpeechModel {
  readonly config: WhisperConfig
  /** Hears one window. @param mel f32 `[melBins, 2 · audioContext]` */
  hear(mel: Float32Array, options?: WorkOptions): Promise<HeardWindow>
}

/** What the text decoder needs of one window. */
export interface HeardWindow extends Disposable {
  open(): SpeechSession
}

export interface SpeechRunOptions extends WorkOptions {
  /** Logits of the last token (default) or of each. */
  readonly logits?: 'last' | 'all'
}

/** The text of one window, as it is decoded. */
export interface SpeechSession extends Disposable {
  /** Tokens that were run: the index of the next one. */
  readonly position: number
  /** Runs the next tokens. @returns logits `[1 or count, vocabularySize]`; the caller may change them */
  run(tokens: readonly number[], options?: SpeechRunOptions): Promise<Float32Array>
  /** Forgets the positions from `position` on. */
  truncate(position: number): void
  /**
   * Runs `tokens` from the first position on.
   * @returns how the alignment heads attend to the sound after softmax, f32 `[heads, tokens, audioContext]`
   */
  align(tokens: readonly number[], options?: WorkOptions): Promise<Float32Array>
}

/** The UTF-8 bytes that a token writes; none for one that steers, or is not there. */
export type TokenBytes = (token: number) => Uint8Array | undefined
