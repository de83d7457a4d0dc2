import type { DiffusionSchedule } from '@resultity/interface'
import { naturalLog } from './exact-math.ts'
import { interpolated, karrasSigmas, timestepOf } from './karras.ts'
import { sigmasOf } from './noise-levels.ts'
import { cleanAtLevel, cleanAtSigma, cleanOfEdm } from './predictions.ts'
import type { NextWeights, StepTable, StepWeights } from './step-weights.ts'
import { evenTimesteps, roundHalfEven, solverTimesteps } from './timesteps.ts'

/** Noise over signal at each step, and behind the last: none. All in float32, as in diffusers. */
interface Descent {
  readonly timesteps: readonly number[]
  readonly sigmas: readonly number[]
}

/** A step from one sigma to the next: what becomes of latents and picture. */
type Solver = (sigma: number, next: number, before: number | undefined) => NextWeights

/** Euler's method: Karras et al., arXiv:2206.00364, algorithm 1 without churn. */
export function euler(schedule: DiffusionSchedule, steps: number, spacing: 'even' | 'karras'): StepTable {
  return sigmaTable(schedule, eulerDescent(schedule, steps, spacing), towards)
}

/** Euler's method that goes down too far and adds noise, as k-diffusion's `sample_euler_ancestral`. */
export function eulerAncestral(schedule: DiffusionSchedule, steps: number): StepTable {
  return sigmaTable(schedule, eulerDescent(schedule, steps, 'even'), (sigma, next) => ({
    ...towards(sigma, (next * next) / sigma),
    noise: (next * Math.sqrt(sigma * sigma - next * next)) / sigma
  }))
}

/**
 * DPM-Solver++ of second order over two steps, by midpoints; its first and its last step are of first order: Lu et al.,
 * arXiv:2211.01095, algorithm 2.
 *
 * @param start first step that is made, which has none to look back at
 */
export function solver(
  schedule: DiffusionSchedule,
  steps: number,
  spacing: 'even' | 'karras',
  start: number
): StepTable {
  const { timesteps, sigmas } = solverDescent(schedule, steps, spacing)
  const table = timesteps.map((timestep, step): StepWeights => {
    const sigma = at(sigmas, step)
    const level = 1 / (sigma * sigma + 1)
    const next = at(sigmas, step + 1)
    // latents here are scaled so that signal and noise have a variance of 1 together
    const scale = Math.sqrt(level)
    const nextScale = 1 / Math.sqrt(next * next + 1)
    const move = twoStep(sigma, next, step > start ? sigmas[step - 1] : undefined)
    return {
      timestep,
      inputScale: 1,
      ...cleanAtLevel(schedule.prediction, level),
      latents: (move.latents * nextScale) / scale,
      clean: move.clean * nextScale,
      earlier: move.earlier * nextScale,
      noise: 0,
      signalLevel: scale,
      noiseLevel: sigma * scale
    }
  })
  return { startScale: 1, looksBack: true, steps: table }
}

/** What {@link edm} has to know of a model, with the defaults of the paper. */
interface EdmTerms {
  readonly sigmaData: number
  readonly sigmaMin: number
  readonly sigmaMax: number
}

const EDM: EdmTerms = { sigmaData: 0.5, sigmaMin: 0.002, sigmaMax: 80 }

/** Either method for a model in EDM's terms; for `start` see {@link solver}. */
export function edm(schedule: DiffusionSchedule, steps: number, method: 'euler' | 'solver', start: number): StepTable {
  const { sigmaData = EDM.sigmaData, sigmaMin = EDM.sigmaMin, sigmaMax = EDM.sigmaMax } = schedule
  const sigmas = [...karrasSigmas(sigmaMax, sigmaMin, steps), 0].map(Math.fround)
  const table = sigmas.slice(0, -1).map((sigma, step): StepWeights => {
    const next = at(sigmas, step + 1)
    return {
      timestep: Math.fround(0.25 * naturalLog(sigma)),
      inputScale: 1 / Math.sqrt(sigma * sigma + sigmaData * sigmaData),
      ...cleanOfEdm(schedule.prediction, sigma, sigmaData),
      ...(method === 'euler'
        ? towards(sigma, next)
        : twoStep(sigma, next, step > start ? sigmas[step - 1] : undefined)),
      signalLevel: 1,
      noiseLevel: sigma
    }
  })
  return { startScale: Math.sqrt(sigmaMax * sigmaMax + 1), looksBack: method === 'solver', steps: table }
}

function sigmaTable(schedule: DiffusionSchedule, { timesteps, sigmas }: Descent, move: Solver): StepTable {
  const greatest = Math.max(...sigmas)
  const leading = schedule.timestepSpacing === 'leading'
  return {
    startScale: leading ? Math.sqrt(greatest * greatest + 1) : greatest,
    looksBack: false,
    steps: timesteps.map((timestep, step) => {
      const sigma = at(sigmas, step)
      return {
        timestep,
        inputScale: 1 / Math.sqrt(sigma * sigma + 1),
        ...cleanAtSigma(schedule.prediction, sigma),
        ...move(sigma, at(sigmas, step + 1), undefined),
        signalLevel: 1,
        noiseLevel: sigma
      }
    })
  }
}

/** On the straight line from the latents to the picture, as far as there is noise to lose. */
function towards(sigma: number, next: number): NextWeights {
  const rest = next / sigma
  return { latents: rest, clean: 1 - rest, earlier: 0, noise: 0 }
}

/** A step that knows the picture of the step before, where that took noise away, and is not the last. */
function twoStep(sigma: number, next: number, before: number | undefined): NextWeights {
  const move = towards(sigma, next)
  // of nearly as many steps as a model was trained with, some that follow each other have one sigma
  if (before === undefined || before === sigma || next === 0) return move
  // half of the change since the step before, in proportion to the steps' lengths in log sigma
  const bend = (0.5 * naturalLog(sigma / next)) / naturalLog(before / sigma)
  return { ...move, clean: move.clean * (1 + bend), earlier: -move.clean * bend }
}

function eulerDescent(schedule: DiffusionSchedule, steps: number, spacing: 'even' | 'karras'): Descent {
  const all = sigmasOf(schedule)
  const timesteps = evenTimesteps(schedule, steps).map(Math.fround)
  const sigmas = timesteps.map(timestep => interpolated(all, timestep))
  if (spacing === 'even') return { timesteps, sigmas: [...sigmas, 0].map(Math.fround) }
  const spaced = karrasSigmas(at(sigmas, 0), at(sigmas, -1), steps)
  return {
    timesteps: spaced.map(sigma => Math.fround(timestepOf(sigma, all))),
    sigmas: [...spaced, 0].map(Math.fround)
  }
}

function solverDescent(schedule: DiffusionSchedule, steps: number, spacing: 'even' | 'karras'): Descent {
  const all = sigmasOf(schedule)
  if (spacing === 'karras') {
    const spaced = karrasSigmas(all.at(-1) ?? 0, all[0] ?? 0, steps)
    return {
      timesteps: spaced.map(sigma => roundHalfEven(timestepOf(sigma, all))),
      sigmas: [...spaced, 0].map(Math.fround)
    }
  }
  const timesteps = solverTimesteps(schedule, steps)
  return { timesteps, sigmas: [...timesteps.map(timestep => interpolated(all, timestep)), 0].map(Math.fround) }
}

function at(values: readonly number[], index: number): number {
  return values.at(index) ?? Number.NaN
}
