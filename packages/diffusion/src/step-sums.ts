import {
  allFinite,
  type DiffusionSchedule,
  MeshError,
  type PictureScheduler,
  type PictureState
} from '@resultity/interface'
import { guided } from './guidance.ts'
import { draws, type NoiseSource, pictureNoise } from './noise.ts'
import { createSampler, type Sampler } from './sampler.ts'
import { beginPicture, keepSource, type SourceParts } from './source-parts.ts'

/** What of a picture its sums need: plain data, so that they can be made in another thread. */
export interface PictureNumbers {
  readonly schedule: DiffusionSchedule
  readonly scheduler: PictureScheduler
  readonly steps: number
  /** First step that is made. */
  readonly start: number
  readonly eta: number
  readonly guidanceScale: number
  readonly guidanceRescale: number
  readonly seed: bigint
  readonly picture: number
  /** Values of its latents. */
  readonly latentCount: number
}

/** A state, and what the denoiser is given of it: scaled latents, unless it is behind the last step. */
export interface SummedState {
  readonly state: PictureState
  readonly input?: Float32Array
}

/** What is behind a step. */
export interface SummedStep extends SummedState {
  /** The picture without noise, in latents, as far as it can be told now. */
  readonly clean: Float32Array
}

/** What is computed of all latents between two runs of the denoiser, here or in another thread: the same bits. */
export interface PictureSums {
  /** Before the first step. */
  begin(): SummedState | Promise<SummedState>
  /** From `state` on, which is checked already. */
  resume(state: PictureState): SummedState | Promise<SummedState>
  /**
   * @param predictions what the denoiser said of `state`: with the prompt, or without it and with it
   * @throws MeshError `engine_failed` where the next latents would be no numbers
   */
  next(state: PictureState, predictions: readonly Float32Array[]): SummedStep | Promise<SummedStep>
}

/** Of another picture that one begins with, and noise other than its own. */
export interface SumsInit {
  readonly parts?: SourceParts
  readonly noise?: NoiseSource
}

/** The sums of one picture, in this thread. It keeps tables and the first noise, and nothing of a step. */
export class OwnSums implements PictureSums {
  readonly #numbers: PictureNumbers
  readonly #parts: SourceParts
  readonly #noise: NoiseSource
  readonly #sampler: Sampler
  #startNoise: Float32Array | undefined

  /** @throws MeshError as {@link createSampler} does */
  constructor(numbers: PictureNumbers, { parts = {}, noise }: SumsInit = {}) {
    this.#numbers = numbers
    this.#parts = parts
    this.#noise = noise ?? pictureNoise(numbers.seed, numbers.picture)
    this.#sampler = samplerOf(numbers)
  }

  begin(): SummedState {
    return this.resume(beginPicture(this.#sampler, this.#parts, this.#noiseAtStart()))
  }

  resume(state: PictureState): SummedState {
    return state.step < this.#sampler.steps ? { state, input: this.#sampler.scaled(state) } : { state }
  }

  next(before: PictureState, predictions: readonly Float32Array[]): SummedStep {
    const { step, latents } = before
    const sampler = this.#sampler
    const added = sampler.addsNoise(step) ? this.#noise(draws.step(step), latents.length) : undefined
    const sampled = sampler.step(before, this.#guided(predictions), added)
    const state =
      this.#parts.kept === undefined
        ? sampled.state
        : keepSource(sampler, this.#parts, sampled.state, this.#noiseAtStart())
    // numbers that are finite each may still pass the end of float32 together
    if (!allFinite(state.latents)) throw noNumbers('denoiser', step, sampler.steps)
    return { ...this.resume(state), clean: sampled.clean }
  }

  #guided([first = NONE, second]: readonly Float32Array[]): Float32Array {
    const { guidanceScale: scale, guidanceRescale: rescale, latentCount: count } = this.#numbers
    return second === undefined ? first : guided(first, second, { scale, rescale, count })
  }

  #noiseAtStart(): Float32Array {
    this.#startNoise ??= this.#noise(draws.start, this.#numbers.latentCount)
    return this.#startNoise
  }
}

const NONE = new Float32Array()

/** @throws MeshError as {@link createSampler} does */
export function samplerOf({ schedule, scheduler, steps, start, eta }: PictureNumbers): Sampler {
  return createSampler(schedule, { scheduler, steps, start, eta })
}

/** What a part of a model gave is no picture. */
export function noNumbers(part: 'denoiser' | 'decoder', step: number, steps: number): MeshError {
  const when = part === 'denoiser' ? ` in step ${step + 1} of ${steps}` : ''
  return new MeshError('engine_failed', `the model's ${part} gave no numbers${when}`, {
    hint: 'The weights may be damaged, or too large for the numbers they are computed with.',
    details: { part, step }
  })
}
