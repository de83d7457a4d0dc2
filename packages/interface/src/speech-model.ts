import type { WhisperConfig } from './whisper-config.ts'
import type { WorkOptions } from './work-class.ts'

/**
 * A whole speech model, loaded. Runs of its callers take turns as an encoder's do: one at a time, interactive work first, and
 * between two runs of one session others have theirs.
 */
export interface SpeechModel extends AsyncDisposable {
  readonly config: WhisperConfig
  readonly windowsMax: number
  readonly windowsOpen: number
  /**
   * Hears one window.
   *
   * @param mel log-mel spectrogram, f32 `[melBins, 2 · audioContext]`. It must stay as it is until the promise settles
   * @returns what the decoder needs of it; dispose of it when its text is done
   * @throws MeshError `invalid_request` for a wrong length or what is no number, `resource_exhausted` when all windows are
   *   open, `engine_failed` when the runtime broke off, `unavailable` after disposal; the reason of `signal`
   */
  hear(mel: Float32Array, options?: WorkOptions): Promise<HeardWindow>
}

/** Keys and values that cross attention reads of one window. Disposal closes its sessions too. */
export interface HeardWindow extends Disposable {
  /**
   * Begins a text of it.
   *
   * @throws MeshError `resource_exhausted` when all sessions of the window are open, `unavailable` after disposal
   */
  open(): SpeechSession
}

export interface SpeechRunOptions extends WorkOptions {
  /** Logits of the last token, or of each. Default `last`. */
  readonly logits?: 'last' | 'all'
}

/** One text of a window, and the decoder's keys and values of it. */
export interface SpeechSession extends Disposable {
  /** Tokens that have been run: the index of the next. */
  readonly position: number
  /**
   * Runs the next tokens.
   *
   * @returns logits f32 `[vocabularySize]` of the last, or `[count, vocabularySize]`: the caller's own
   * @throws MeshError `invalid_request` for no token or one that the vocabulary lacks, `context_length_exceeded` over the
   *   model's text context, `engine_failed` when the runtime broke off or gave no numbers, `unavailable` after disposal; the
   *   reason of `signal`. After a failed or aborted run the position is what it was before, and the session serves on
   */
  run(tokens: readonly number[], options?: SpeechRunOptions): Promise<Float32Array>
  /**
   * Forgets the tokens from `position` on.
   *
   * @throws MeshError `invalid_request` when the session is not that long, or is running
   */
  truncate(position: number): void
  /**
   * Where the alignment heads look while `tokens` are read from position 0 on; once a text is done, for the times of its words.
   * What the session has run is forgotten: its position is `tokens.length` afterwards.
   *
   * @returns f32 `[alignmentHeads, tokens, audioContext]`, each row a softmax over the whole window. Divided by their sum,
   *   the first weights of a row are the softmax over the part of the window that has sound
   * @throws MeshError as {@link run}
   */
  align(tokens: readonly number[], options?: WorkOptions): Promise<Float32Array>
}
