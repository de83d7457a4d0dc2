/**
 * One step of a sampler. Every sampler of this package is linear in what it is given, so a step is a few numbers:
 *
 * - the denoiser is given `inputScale · latents` and `timestep`, and predicts;
 * - `clean = cleanOfLatents · latents + cleanOfPrediction · prediction` is the picture without noise, as far as it can be told;
 * - the next latents are `latents · latents + clean · clean + earlier · clean of the step before + noise · noise`.
 */
export interface StepWeights {
  /** As the denoiser is told it, in training steps or in EDM's terms. */
  readonly timestep: number
  readonly inputScale: number
  readonly cleanOfLatents: number
  readonly cleanOfPrediction: number
  readonly latents: number
  readonly clean: number
  /** Not 0 only for samplers of several steps, behind their first. */
  readonly earlier: number
  /** Not 0 where a step adds noise. */
  readonly noise: number
  /**
   * Of a step that lets the denoiser say how much noise it adds: the logarithms of the least and the most variance. A prediction that
   * says so has as many numbers again, from -1 for the least to 1 for the most; of one that does not, `noise` counts.
   */
  readonly variance?: { readonly least: number; readonly most: number }
  /** No number of `clean` is further from 0. */
  readonly clip?: number
  /** What of `clean` before it was clipped is added, where that counts. */
  readonly unclipped?: number
  /** A finished picture with noise added is at this step as `signalLevel · picture + noiseLevel · noise`. */
  readonly signalLevel: number
  readonly noiseLevel: number
}

/** A sampler for one number of steps. */
export interface StepTable {
  /** What pure noise is multiplied with before the first step. */
  readonly startScale: number
  /** Whether each step looks back at the one before. */
  readonly looksBack: boolean
  readonly steps: readonly StepWeights[]
}

/** How the picture without noise follows from latents and prediction. */
export type CleanWeights = Pick<StepWeights, 'cleanOfLatents' | 'cleanOfPrediction'>

/** How latents and prediction become the next latents. */
export type NextWeights = Pick<StepWeights, 'latents' | 'clean' | 'earlier' | 'noise'>
