import type { DiffusionSchedule } from '@resultity/interface'

/**
 * Training steps that a picture goes through, the noisiest first, as diffusers spaces them for schedulers that divide the
 * training steps by the steps: whole numbers, and of `linspace` fractions for the ones that interpolate.
 */
export function evenTimesteps(schedule: DiffusionSchedule, steps: number): number[] {
  const { trainSteps, timestepSpacing, stepsOffset } = schedule
  switch (timestepSpacing) {
    case 'linspace':
      return evenlyDown(trainSteps - 1, steps)
    case 'leading':
      return leading(Math.floor(trainSteps / steps), steps, stepsOffset)
    case 'trailing':
      return trailing(trainSteps, steps)
  }
}

/** The same for DPM-Solver, which counts one step more and leaves out the last. */
export function solverTimesteps(schedule: DiffusionSchedule, steps: number): number[] {
  const { trainSteps, timestepSpacing, stepsOffset } = schedule
  switch (timestepSpacing) {
    case 'linspace':
      return evenlyDown(trainSteps - 1, steps + 1)
        .slice(0, -1)
        .map(roundHalfEven)
    case 'leading':
      return leading(Math.floor(trainSteps / (steps + 1)), steps + 1, stepsOffset).slice(0, -1)
    case 'trailing':
      return trailing(trainSteps, steps)
  }
}

/** The distilled steps of a latent consistency model, of which a picture takes some: Luo et al., arXiv:2310.04378. */
export const CONSISTENCY_STEPS = 50

/** Some of {@link CONSISTENCY_STEPS}, as far apart as they can be. */
export function consistencyTimesteps({ trainSteps }: DiffusionSchedule, steps: number): number[] {
  const apart = Math.floor(trainSteps / CONSISTENCY_STEPS)
  return Array.from({ length: steps }, (_, step) => {
    const skipped = Math.floor(step * (CONSISTENCY_STEPS / steps))
    return (CONSISTENCY_STEPS - skipped) * apart - 1
  })
}

function evenlyDown(last: number, count: number): number[] {
  // one step alone is the least noisy one: odd, and so it is in the reference
  const apart = count === 1 ? 0 : last / (count - 1)
  return Array.from({ length: count }, (_, index) => {
    const fromBelow = count - 1 - index
    return fromBelow > 0 && index === 0 ? last : fromBelow * apart
  })
}

function leading(apart: number, count: number, offset: number): number[] {
  return Array.from({ length: count }, (_, index) => (count - 1 - index) * apart + offset)
}

function trailing(trainSteps: number, steps: number): number[] {
  const apart = trainSteps / steps
  // the difference of the first two, as a range of numpy has it: at halves its last bit decides
  const difference = trainSteps - apart - trainSteps
  return Array.from({ length: steps }, (_, index) => roundHalfEven(trainSteps + index * difference) - 1)
}

/** The nearest whole number; of two that are as near the even one, as in numpy. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value)
  const rest = value - below
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1
  return below % 2 === 0 ? below : below + 1
}
