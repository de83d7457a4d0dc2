import {
  type DiffusionSchedule,
  invalidRequest,
  PICTURE_STEPS_MAX,
  type PictureScheduler,
  type PictureState
} from '@resultity/interface'
import { exponential } from './exact-math.ts'
import { consistency, ddim, ddpm, type PriorSchedule, unclip } from './level-samplers.ts'
import { edm, euler, eulerAncestral, solver } from './sigma-samplers.ts'
import type { StepTable, StepWeights } from './step-weights.ts'
import { CONSISTENCY_STEPS } from './timesteps.ts'

/** What a step makes. */
export interface SampledStep {
  readonly state: PictureState
  /** The picture without noise, in latents, as far as it can be told at this step: what a preview shows. */
  readonly clean: Float32Array
}

export interface SamplerInit {
  readonly scheduler: PictureScheduler
  readonly steps: number
  /** First step that is made: not 0 where a picture is made from another. */
  readonly start?: number
  /** Noise that DDIM adds on the way, from 0 (the default) to 1. */
  readonly eta?: number
}

/**
 * The rules by which noise becomes a picture: a table of numbers for each step (see {@link StepWeights}), and no state. Sums are
 * float64, and every result is rounded to float32 once.
 */
export interface Sampler {
  readonly steps: number
  /** First step that is made. */
  readonly start: number
  /** Whether each step looks back at the one before: a state behind the first carries one array then, else none. */
  readonly looksBack: boolean
  /** What the denoiser is told at each step: training steps, or logarithms of EDM. */
  readonly timesteps: readonly number[]
  /** A picture that is pure noise. */
  begin(noise: Float32Array): PictureState
  /** A picture that is made from another: its latents with as much noise as the first step takes away. */
  beginFrom(latents: Float32Array, noise: Float32Array): PictureState
  /** Latents with as much noise as they have before `step`; behind the last step none. */
  noised(latents: Float32Array, noise: Float32Array, step: number): Float32Array
  /** What the denoiser is given. */
  scaled(state: PictureState): Float32Array
  /** Whether a step adds noise. */
  addsNoise(step: number): boolean
  /** @param noise of a step that adds some */
  step(state: PictureState, prediction: Float32Array, noise?: Float32Array): SampledStep
}

/**
 * A sampler as in diffusers 0.29.2: the same tables and steps, to 1e-5. Nothing is thresholded, and the last step leaves no noise.
 *
 * @throws MeshError `invalid_request` naming `steps`, `strength` or `scheduler`
 */
export function createSampler(schedule: DiffusionSchedule, init: SamplerInit): Sampler {
  checkSteps(schedule, init)
  return new TableSampler(tableOf(schedule, init), init.start ?? 0)
}

/** A sampler of embeddings. */
export function createPriorSampler(schedule: PriorSchedule, steps: number): Sampler {
  return new TableSampler(unclip(schedule, steps), 0)
}

function tableOf(schedule: DiffusionSchedule, { scheduler, steps, start = 0, eta = 0 }: SamplerInit): StepTable {
  switch (scheduler) {
    case 'ddim':
      return ddim(schedule, steps, eta)
    case 'ddpm':
      return ddpm(schedule, steps)
    case 'lcm':
      return consistency(schedule, steps)
    case 'euler':
      return euler(schedule, steps, 'even')
    case 'euler_karras':
      return euler(schedule, steps, 'karras')
    case 'euler_a':
      return eulerAncestral(schedule, steps)
    case 'dpmpp_2m':
      return solver(schedule, steps, 'even', start)
    case 'dpmpp_2m_karras':
      return solver(schedule, steps, 'karras', start)
    case 'edm':
      return edm(schedule, steps, 'solver', start)
    case 'edm_euler':
      return edm(schedule, steps, 'euler', start)
  }
}

/**
 * Whether a scheduler makes so many steps with a model. It is quick: no table is made.
 *
 * @throws MeshError `invalid_request` naming `steps`, `strength` or `scheduler`
 */
export function checkSteps(schedule: DiffusionSchedule, { scheduler, steps, start = 0 }: SamplerInit): void {
  const most = stepsMax(schedule, scheduler)
  if (!Number.isInteger(steps) || steps < 1 || steps > most) {
    const known = `'${scheduler}' takes from 1 to ${most} with this model`
    throw invalidRequest('steps', `${steps} steps; ${known}`, 'Send another number of steps.')
  }
  if (!Number.isInteger(start) || start < 0 || start >= steps) {
    throw invalidRequest('strength', `a picture of ${steps} steps cannot begin with step ${start}`)
  }
  const inEdm = scheduler === 'edm' || scheduler === 'edm_euler'
  if (inEdm !== (schedule.sigmaData !== undefined)) {
    const terms = inEdm
      ? "needs a model in EDM's terms, which this is not"
      : "is not for models in EDM's terms, as this is"
    throw invalidRequest(
      'scheduler',
      `the scheduler '${scheduler}' ${terms}`,
      'Leave the scheduler out, or name another.'
    )
  }
  const endless = schedule.rescaleBetasZeroSnr && schedule.prediction === 'epsilon'
  if (endless && (scheduler === 'ddim' || scheduler === 'ddpm' || scheduler === 'lcm')) {
    // at the last training step there is nothing but noise, and knowing the noise says nothing of a picture
    const why = `'${scheduler}' takes no predictions of noise where the noise has no end, as this model has it`
    throw invalidRequest('scheduler', why, 'Name another scheduler.')
  }
}

/** Powers of {@link exponential}: a share is of no bounds. */
const POWER_MAX = 600

function stepsMax({ trainSteps, timestepSpacing }: DiffusionSchedule, scheduler: PictureScheduler): number {
  if (scheduler === 'lcm') return Math.min(trainSteps, CONSISTENCY_STEPS)
  // it divides the training steps by one more, which would leave nothing between them
  const left = scheduler === 'dpmpp_2m' && timestepSpacing === 'leading' ? trainSteps - 1 : trainSteps
  return Math.min(left, PICTURE_STEPS_MAX)
}

class TableSampler implements Sampler {
  readonly start: number
  readonly steps: number
  readonly looksBack: boolean
  readonly timesteps: readonly number[]
  readonly #table: StepTable

  constructor(table: StepTable, start: number) {
    this.#table = table
    this.start = start
    this.steps = table.steps.length
    this.looksBack = table.looksBack
    this.timesteps = table.steps.map(({ timestep }) => timestep)
  }

  begin(noise: Float32Array): PictureState {
    const { startScale } = this.#table
    return { step: this.start, latents: noise.map(value => value * startScale), carried: [] }
  }

  beginFrom(latents: Float32Array, noise: Float32Array): PictureState {
    return { step: this.start, latents: this.noised(latents, noise, this.start), carried: [] }
  }

  noised(latents: Float32Array, noise: Float32Array, step: number): Float32Array {
    const weights = this.#table.steps[step]
    if (weights === undefined) return latents
    const { signalLevel, noiseLevel } = weights
    return latents.map((value, index) => signalLevel * value + noiseLevel * (noise[index] ?? Number.NaN))
  }

  scaled({ step, latents }: PictureState): Float32Array {
    const { inputScale } = this.#weights(step)
    return latents.map(value => value * inputScale)
  }

  addsNoise(step: number): boolean {
    return this.#weights(step).noise !== 0
  }

  step({ step, latents, carried }: PictureState, prediction: Float32Array, noise?: Float32Array): SampledStep {
    const weights = this.#weights(step)
    const [earlier] = carried
    const { clip = Number.POSITIVE_INFINITY, unclipped = 0, variance } = weights
    const learned = prediction.length > latents.length ? variance : undefined
    const clean = new Float32Array(latents.length)
    const next = latents.map((value, index) => {
      const told = weights.cleanOfLatents * value + weights.cleanOfPrediction * (prediction[index] ?? Number.NaN)
      const picture = Math.min(Math.max(told, -clip), clip)
      clean[index] = picture
      let sum = weights.latents * value + weights.clean * picture
      if (unclipped !== 0) sum += unclipped * told
      if (weights.earlier !== 0) sum += weights.earlier * (earlier?.[index] ?? Number.NaN)
      if (weights.noise === 0) return sum
      const share = prediction[latents.length + index] ?? Number.NaN
      const scale = learned === undefined ? weights.noise : learnedNoise(learned, share)
      sum += scale * (noise?.[index] ?? Number.NaN)
      return sum
    })
    const state = { step: step + 1, latents: next, carried: this.looksBack ? [clean] : [] }
    return { state, clean }
  }

  #weights(step: number): StepWeights {
    const weights = this.#table.steps[step]
    if (weights === undefined) throw new RangeError(`step ${step} of ${this.steps}`)
    return weights
  }
}

/** Noise that a step adds whose variance is between two, `share` of the way from -1 to 1, of their logarithms. */
function learnedNoise({ least, most }: NonNullable<StepWeights['variance']>, share: number): number {
  const part = (share + 1) / 2
  const power = (part * most + (1 - part) * least) / 2
  return Number.isFinite(power) ? exponential(Math.min(Math.max(power, -POWER_MAX), POWER_MAX)) : Number.NaN
}
