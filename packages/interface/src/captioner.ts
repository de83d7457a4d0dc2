import type { BlipConfig } from './blip-config.ts'
import type { WorkOptions } from './work-class.ts'

/**
 * A whole model that says what pictures show, loaded. Runs of its callers take turns as an encoder's do: one at a time,
 * interactive work first, and between two runs of one text others have theirs.
 */
export interface Captioner extends AsyncDisposable {
  readonly config: BlipConfig
  readonly picturesMax: number
  readonly picturesOpen: number
  /**
   * Looks at one picture, and reads the question where there is one.
   *
   * @param pixels f32 `[3, imageSize, imageSize]`, less the mean and over the deviation. It must stay as it is until the promise
   *   settles
   * @returns its text, which has no tokens yet; dispose of it when it is done
   * @throws MeshError `invalid_request` for a wrong size, what is no number, a wrong token, a question where the model takes none
   *   or none where it takes one; `context_length_exceeded` for one that is too long; `resource_exhausted` when all pictures are
   *   open, `engine_failed` when the runtime broke off, `unavailable` after disposal; the reason of `signal`
   */
  look(pixels: Float32Array, options?: LookOptions): Promise<PictureText>
}

export interface LookOptions extends WorkOptions {
  /** Token ids, those that frame it included; a model that answers needs one, and no other takes one. */
  readonly question?: readonly number[]
}

/** The text of one picture, and the decoder's keys and values of it and of the picture. */
export interface PictureText extends Disposable {
  /** Tokens that have been run: the index of the next. */
  readonly position: number
  /**
   * Runs the next tokens.
   *
   * @returns logits f32 `[vocabularySize]` of the last, or `[count, vocabularySize]`: the caller's own
   * @throws MeshError `invalid_request` for no token or one that the vocabulary lacks, `context_length_exceeded` over the
   *   model's text context, `engine_failed` when the runtime broke off or gave no numbers, `unavailable` after disposal; the
   *   reason of `signal`. After a failed or aborted run the position is what it was before, and the text goes on
   */
  run(tokens: readonly number[], options?: PictureTextOptions): Promise<Float32Array>
}

export interface PictureTextOptions extends WorkOptions {
  /** Logits of the last token, or of each. Default `last`. */
  readonly logits?: 'last' | 'all'
}
