import type { DiffusionSchedule } from '@resultity/interface'
import { naturalLog } from './exact-math.ts'
import { betasOf, signalLevels } from './noise-levels.ts'
import { cleanAtLevel } from './predictions.ts'
import type { StepTable, StepWeights } from './step-weights.ts'
import { consistencyTimesteps, evenTimesteps, roundHalfEven } from './timesteps.ts'

/**
 * DDIM: Song et al., arXiv:2010.02502, equation 12.
 *
 * @param eta how much noise is added on the way: 0 for none, 1 for as much as the training took
 */
export function ddim(schedule: DiffusionSchedule, steps: number, eta: number): StepTable {
  const levels = signalLevels(schedule)
  const stride = Math.floor(schedule.trainSteps / steps)
  const levelAt = (timestep: number): number => levels[Math.min(timestep, levels.length - 1)] ?? 0
  const last = schedule.setAlphaToOne ? 1 : levelAt(0)
  const table = evenTimesteps(schedule, steps)
    .map(roundHalfEven)
    .map((timestep): StepWeights => {
      const level = levelAt(timestep)
      const next = timestep < stride ? last : levelAt(timestep - stride)
      const variance = ((1 - next) / (1 - level)) * (1 - level / next)
      const noise = eta === 0 ? 0 : eta * Math.sqrt(variance)
      // the noise that is left is what the latents have beside the picture
      const direction = Math.sqrt(Math.max(1 - next - noise * noise, 0) / (1 - level))
      const turn = -direction * Math.sqrt(level)
      const clipped = schedule.clip !== undefined
      return {
        ...atLevel(schedule, timestep, level),
        latents: direction,
        clean: clipped ? Math.sqrt(next) : Math.sqrt(next) + turn,
        // the noise is what was predicted, and not what would lie between the latents and a picture that was clipped
        ...(clipped ? { unclipped: turn } : {}),
        noise
      }
    })
  return { startScale: 1, looksBack: false, steps: table }
}

/** Logarithms of no variance are taken of this. */
const VARIANCE_MIN = 1e-20

/**
 * The steps that a denoiser is trained to take back, several at once: Ho et al., arXiv:2006.11239, equation 7. Where the denoiser says
 * how much noise a step adds, Nichol and Dhariwal, arXiv:2102.09672, equation 15.
 */
export function ddpm(schedule: DiffusionSchedule, steps: number): StepTable {
  const levels = signalLevels(schedule)
  const stride = Math.floor(schedule.trainSteps / steps)
  const table = evenTimesteps(schedule, steps)
    .map(roundHalfEven)
    .map((timestep): StepWeights => {
      // offset timesteps may pass the last one that was trained
      const level = levels[Math.min(timestep, levels.length - 1)] ?? 0
      const next = timestep < stride ? 1 : (levels[timestep - stride] ?? 1)
      const alpha = Math.fround(level / next)
      const beta = Math.fround(1 - alpha)
      const variance = Math.max(((1 - next) / (1 - level)) * beta, VARIANCE_MIN)
      const last = timestep === 0
      return {
        ...atLevel(schedule, timestep, level),
        ...takenBack({ level, next, alpha, beta }),
        noise: last ? 0 : Math.sqrt(variance),
        ...(last ? {} : { variance: { least: naturalLog(variance), most: naturalLog(Math.max(beta, VARIANCE_MIN)) } })
      }
    })
  return { startScale: 1, looksBack: false, steps: table }
}

/** What was made of an embedding while its prior was trained. */
export interface PriorSchedule {
  readonly trainSteps: number
  readonly clip?: number | undefined
}

/** The same of embeddings, of which a prior predicts what they are without noise: diffusers' `UnCLIPScheduler`. */
export function unclip({ trainSteps, clip }: PriorSchedule, steps: number): StepTable {
  const schedule = { ...COSINE, trainSteps }
  const levels = signalLevels(schedule)
  const betas = betasOf(schedule)
  const timesteps = evenTimesteps(schedule, steps).map(roundHalfEven)
  const table = timesteps.map((timestep, step): StepWeights => {
    const level = levels[timestep] ?? 0
    const before = timesteps[step + 1]
    const next = before === undefined ? 1 : (levels[before] ?? 1)
    // of one training step alone the reference takes the beta that the level was made of
    const single = (before ?? -1) === timestep - 1
    const beta = single ? (betas[timestep] ?? 0) : Math.fround(1 - Math.fround(level / next))
    const variance = Math.max(((1 - next) / (1 - level)) * beta, VARIANCE_MIN)
    return {
      ...atLevel({ prediction: 'sample', clip }, timestep, level),
      ...takenBack({ level, next, alpha: Math.fround(1 - beta), beta }),
      noise: before === undefined ? 0 : Math.sqrt(variance)
    }
  })
  return { startScale: 1, looksBack: false, steps: table }
}

/** Priors are trained with no other. */
const COSINE: DiffusionSchedule = {
  trainSteps: 1000,
  betaStart: 1,
  betaEnd: 1,
  betaSchedule: 'squaredcos_cap_v2',
  prediction: 'sample',
  timestepSpacing: 'linspace',
  stepsOffset: 0,
  setAlphaToOne: true,
  rescaleBetasZeroSnr: false,
  scheduler: 'ddpm'
}

interface LostSignal {
  /** Of signal, with the latents, and before. */
  readonly level: number
  readonly next: number
  /** What was kept of it, and lost, in float32 as in the reference. */
  readonly alpha: number
  readonly beta: number
}

/** The middle of where latents were before they lost signal. */
function takenBack({ level, next, alpha, beta }: LostSignal): Pick<StepWeights, 'latents' | 'clean'> {
  return {
    latents: (Math.sqrt(alpha) * (1 - next)) / (1 - level),
    clean: (Math.sqrt(next) * beta) / (1 - level)
  }
}

/** What a boundary condition makes of a step: Luo et al., arXiv:2310.04378, section 4.1, with diffusers' constants. */
const BOUNDARY_DATA = 0.5
const BOUNDARY_SCALE = 10

/** Latent consistency: each step guesses the picture, and noise is added for the next. */
export function consistency(schedule: DiffusionSchedule, steps: number): StepTable {
  const levels = signalLevels(schedule)
  const timesteps = consistencyTimesteps(schedule, steps)
  const table = timesteps.map((timestep, step): StepWeights => {
    const time = timestep * BOUNDARY_SCALE
    const power = time * time + BOUNDARY_DATA * BOUNDARY_DATA
    const skip = (BOUNDARY_DATA * BOUNDARY_DATA) / power
    const out = time / Math.sqrt(power)
    const guess = atLevel({ prediction: schedule.prediction }, timestep, levels[timestep] ?? 0)
    const next = timesteps[step + 1]
    const nextLevel = next === undefined ? 1 : (levels[next] ?? 0)
    return {
      ...guess,
      cleanOfLatents: out * guess.cleanOfLatents + skip,
      cleanOfPrediction: out * guess.cleanOfPrediction,
      clean: Math.sqrt(nextLevel),
      noise: Math.sqrt(1 - nextLevel)
    }
  })
  return { startScale: 1, looksBack: false, steps: table }
}

function atLevel(
  { prediction, clip }: Pick<DiffusionSchedule, 'prediction' | 'clip'>,
  timestep: number,
  level: number
): StepWeights {
  return {
    ...(clip === undefined ? {} : { clip }),
    timestep,
    inputScale: 1,
    ...cleanAtLevel(prediction, level),
    latents: 0,
    clean: 0,
    earlier: 0,
    noise: 0,
    signalLevel: Math.sqrt(level),
    noiseLevel: Math.sqrt(1 - level)
  }
}
