import type { DiffusionConfig } from './diffusion-config.ts'
import type { WorkOptions } from './work-class.ts'

/** Values of a picture's latents: f32 `[channels, height, width]`, row by row. */
export interface Latents {
  readonly channels: number
  /** In latent rows: pixels over the decoder's scale. */
  readonly height: number
  readonly width: number
  readonly values: Float32Array
}

/** Pixels: f32 `[3, height, width]`, from -1 to 1. */
export interface Pixels {
  readonly height: number
  readonly width: number
  readonly values: Float32Array
}

/** What a prompt is for a denoiser. */
export interface TextStates {
  /** f32 `[length, size]`: the states of all text encoders side by side, chunks one behind the other. */
  readonly states: Float32Array
  readonly length: number
  readonly size: number
  /** f32 `[pooledSize]`: of the encoder that has one (XL); empty elsewhere. */
  readonly pooled: Float32Array
}

/** One call of a denoiser. */
export interface DenoiseInput {
  /** As the scheduler scaled them; with the mask and the masked picture behind them where the model takes 9 channels. */
  readonly latents: Latents
  /** In training steps, whole or not. */
  readonly timestep: number
  readonly text: TextStates
  /** Six numbers of XL: original size, crop, target size. Empty where the model takes none. */
  readonly timeIds: readonly number[]
}

/** Where in latents a picture lies. */
export interface EncodedPicture {
  readonly mean: Latents
  readonly logVariance: Float32Array | undefined
}

/** One call of a prior. */
export interface PriorInput {
  /** A noisy embedding: as many numbers as one has. */
  readonly noisy: Float32Array
  /** In training steps. */
  readonly timestep: number
  /** Of one chunk. */
  readonly text: TextStates
  /** Tokens of that chunk, those that frame it included; what fills it up behind them is not looked at. */
  readonly tokenCount: number
}

/** What a prior says. */
export interface PriorResult {
  /** The embedding without noise, as far as it can be told, in the terms of the noisy one. */
  readonly prediction: Float32Array
  /** The noisy one in the denoiser's terms: what is taken of it when no noise is left. */
  readonly embedding: Float32Array
}

/** What makes embeddings of pictures of texts. */
export interface Prior {
  /** The embedding that stands for no picture. */
  readonly nothing: Float32Array
  /** @throws MeshError as the methods of {@link DiffusionModel} do */
  imagine(input: PriorInput, options?: WorkOptions): Promise<PriorResult>
}

/**
 * A whole diffusion model, loaded. Runs of its callers take turns: one at a time, interactive work first, and between two
 * steps of one picture others have theirs.
 *
 * Every method throws MeshError `invalid_request` for an input of a wrong size or what is no number, `engine_failed` when the
 * runtime broke off or gave no numbers, `resource_exhausted` over the model's limits, `unavailable` after disposal; the reason
 * of `signal`.
 */
export interface DiffusionModel extends AsyncDisposable {
  readonly config: DiffusionConfig
  /**
   * Encodes a prompt.
   *
   * @param encoders for each text encoder of the model, in its order: chunks of token ids, each of the encoder's full length,
   *   as many chunks for each
   */
  encodeText(encoders: readonly (readonly Uint32Array[])[], options?: WorkOptions): Promise<TextStates>
  /** Of a model that draws embeddings: `text` of its {@link denoise} is one of them. */
  readonly prior?: Prior | undefined
  /**
   * @returns what the model predicts, noise or velocity, in the latents' shape; of a model that draws embeddings behind it as many
   *   numbers that say how much noise to add, from -1 for the least to 1 for the most
   */
  denoise(input: DenoiseInput, options?: WorkOptions): Promise<Float32Array>
  /** @param latents as the sampler leaves them: the decoder's own scale and shift are applied here */
  decode(latents: Latents, options?: WorkOptions): Promise<Pixels>
  /**
   * @returns mean and log variance of the picture's latents, each in the latents' shape, before the scale; a model whose pictures have
   *   one place in latents gives no variance
   */
  encode(pixels: Pixels, options?: WorkOptions): Promise<EncodedPicture>
}
