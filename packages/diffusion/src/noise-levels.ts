import type { DiffusionSchedule } from '@resultity/interface'
import { ofTurns } from './exact-math.ts'

/** What a denoiser whose noise has no end is taken to have seen at its last step, by samplers in terms of sigmas. */
const LAST_SIGNAL = 2 ** -24

/** The most of a picture that one step of the cosine schedule takes: Nichol and Dhariwal, arXiv:2102.09672, section 3.2. */
const BETA_MAX = 0.999

/**
 * How much of a picture is left at each training step, squared: diffusers' `alphas_cumprod`. Betas, alphas and products are
 * float32, as they are there.
 */
export function signalLevels(schedule: DiffusionSchedule): Float32Array {
  const alphas = betasOf(schedule).map(beta => 1 - beta)
  const levels = products(alphas)
  return schedule.rescaleBetasZeroSnr ? withoutSignalAtTheEnd(levels) : levels
}

/** Noise over signal at each training step. */
export function sigmasOf(schedule: DiffusionSchedule): Float32Array {
  const levels = signalLevels(schedule)
  if (schedule.rescaleBetasZeroSnr) levels[levels.length - 1] = LAST_SIGNAL
  return levels.map(level => Math.sqrt((1 - level) / level))
}

/** How much of what is left each training step takes, in float32. */
export function betasOf({ betaSchedule, betaStart, betaEnd, trainSteps }: DiffusionSchedule): Float32Array {
  switch (betaSchedule) {
    case 'linear':
      return evenly(betaStart, betaEnd, trainSteps)
    case 'scaled_linear':
      return evenly(Math.sqrt(betaStart), Math.sqrt(betaEnd), trainSteps).map(root => root * root)
    case 'squaredcos_cap_v2':
      return Float32Array.from({ length: trainSteps }, (_, step) =>
        Math.min(1 - squaredCosine((step + 1) / trainSteps) / squaredCosine(step / trainSteps), BETA_MAX)
      )
  }
}

function squaredCosine(time: number): number {
  const { cosine } = ofTurns((time + 0.008) / 1.008 / 4)
  return cosine * cosine
}

/** Values from `first` to `last`, each end counted from itself, in float32. */
function evenly(first: number, last: number, count: number): Float32Array {
  const start = Math.fround(first)
  const end = Math.fround(last)
  const step = Math.fround(Math.fround(end - start) / (count - 1))
  const half = Math.floor(count / 2)
  return Float32Array.from({ length: count }, (_, index) =>
    index < half ? start + Math.fround(step * index) : end - Math.fround(step * (count - index - 1))
  )
}

function products(factors: Float32Array): Float32Array {
  let product = 1
  return factors.map(factor => {
    product *= factor
    return product
  })
}

/** Stretches a schedule so that its last step has no signal: Lin et al., arXiv:2305.08891, algorithm 1. */
function withoutSignalAtTheEnd(levels: Float32Array): Float32Array {
  const roots = levels.map(Math.sqrt)
  const first = roots[0] ?? 1
  const last = roots.at(-1) ?? 0
  const stretch = Math.fround(first / Math.fround(first - last))
  const stretched = roots.map(root => {
    const shifted = Math.fround(Math.fround(root - last) * stretch)
    return shifted * shifted
  })
  // by way of betas again, as a denoiser that is trained on them sees it
  const alphas = stretched.map((level, step) => 1 - Math.fround(1 - level / (stretched[step - 1] ?? 1)))
  return products(alphas)
}
