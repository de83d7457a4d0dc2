import type { DiffusionSchedule } from '@resultity/interface'
import { signalLevels } from './noise-levels.ts'
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
      return {
        ...atLevel(schedule, timestep, level),
        latents: direction,
        clean: Math.sqrt(next) - direction * Math.sqrt(level),
        noise
      }
    })
  return { startScale: 1, looksBack: false, steps: table }
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
    const guess = atLevel(schedule, timestep, levels[timestep] ?? 0)
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

function atLevel({ prediction }: DiffusionSchedule, timestep: number, level: number): StepWeights {
  return {
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
