import { readFileSync } from 'node:fs'
import {
  carriedCount,
  type DiffusionSchedule,
  diffusionScheduleSchema,
  MeshError,
  type PictureState,
  pictureSchedulers
} from '@resultity/interface'
import t from 'tap'
import { guided } from '../src/guidance.ts'
import { pictureNoise } from '../src/noise.ts'
import { createSampler, type Sampler } from '../src/sampler.ts'
import { evenTimesteps, roundHalfEven, solverTimesteps } from '../src/timesteps.ts'

/** A schedule in diffusers' names; the ones of EDM have no betas. */
interface ReferenceSchedule {
  readonly beta_start?: number
  readonly beta_end?: number
  readonly beta_schedule?: string
  readonly steps_offset?: number
  readonly rescale_betas_zero_snr?: boolean
  readonly sigma_data?: number
  readonly sigma_min?: number
  readonly sigma_max?: number
}

/** As `scripts/reference-schedulers.py` writes them. */
interface Case {
  readonly scheduler: (typeof pictureSchedulers)[number]
  readonly spacing: DiffusionSchedule['timestepSpacing']
  readonly prediction: DiffusionSchedule['prediction']
  readonly steps: number
  readonly start: number
  readonly eta: number
  readonly schedule: ReferenceSchedule
  readonly timesteps: string
  readonly sigmas: string
  readonly scale: number
  readonly latents: string
}

interface Golden {
  readonly cases: readonly Case[]
  readonly spacings: Readonly<Record<string, string>>
  readonly guidance: readonly { readonly scale: number; readonly rescale: number; readonly values: string }[]
}

const fixtures = new URL('../../test/fixtures/', import.meta.url)
const golden: Golden = JSON.parse(readFileSync(new URL('schedulers.json', fixtures), 'utf8'))
const VALUES = 4
const TOLERANCE = 1e-5

function floats(packed: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(packed, 'base64')).buffer)
}

function noise(draw: number): Float32Array {
  return Float32Array.from({ length: VALUES }, (_, index) => (((draw * 53 + index * 29 + 7) % 61) - 30) / 16)
}

function predict(step: number, scaled: Float32Array): Float32Array {
  return scaled.map((value, index) => 0.25 * value + (((step * 37 + index * 17 + 11) % 31) - 15) / 16)
}

function scheduleOf({ scheduler, spacing, prediction, schedule }: Case): DiffusionSchedule {
  return diffusionScheduleSchema.parse({
    trainSteps: 1000,
    betaStart: schedule.beta_start ?? 0.00085,
    betaEnd: schedule.beta_end ?? 0.012,
    betaSchedule: schedule.beta_schedule ?? 'scaled_linear',
    prediction,
    timestepSpacing: spacing,
    stepsOffset: schedule.steps_offset ?? 1,
    setAlphaToOne: schedule.beta_schedule !== 'scaled_linear',
    rescaleBetasZeroSnr: schedule.rescale_betas_zero_snr ?? false,
    sigmaData: schedule.sigma_data,
    sigmaMin: schedule.sigma_min,
    sigmaMax: schedule.sigma_max,
    scheduler
  })
}

const stable: DiffusionSchedule = scheduleOf({ ...golden.cases[0], schedule: {}, spacing: 'leading' } as Case)

/** The greatest difference, in proportion to the greatest value of the row or to 1. */
function difference(ours: Float32Array, theirs: Float32Array): number {
  const unit = theirs.reduce((most, value) => Math.max(most, Math.abs(value)), 1)
  return ours.reduce((most, value, index) => {
    const apart = value === theirs[index] ? 0 : Math.abs(value - (theirs[index] ?? Number.NaN))
    return Math.max(most, Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart / unit)
  }, 0)
}

/** The latents before the first step and after each. */
function runOf(sampler: Sampler, begun: PictureState): Float32Array[] {
  const states = [begun.latents]
  let state = begun
  while (state.step < sampler.steps) {
    const { step } = state
    const added = sampler.addsNoise(step) ? noise(16 + step) : undefined
    state = sampler.step(state, predict(step, sampler.scaled(state)), added).state
    states.push(state.latents)
  }
  return states
}

// posterior-samplers.test.ts has DDPM's
for (const scheduler of pictureSchedulers.filter(name => name !== 'ddpm')) {
  t.test(`${scheduler} has diffusers' tables and steps`, async t => {
    const cases = golden.cases.filter(each => each.scheduler === scheduler)
    t.ok(cases.length > 0)
    for (const each of cases) {
      const { spacing, prediction, steps, start, eta, schedule } = each
      const named = `${spacing}, ${prediction}, ${steps} steps from ${start}, ${JSON.stringify(schedule)}, eta ${eta}`
      const sampler = createSampler(scheduleOf(each), { scheduler, steps, start, eta })
      const timesteps = Float32Array.from(sampler.timesteps.slice(start))
      t.ok(difference(timesteps, floats(each.timesteps)) <= TOLERANCE, `timesteps: ${named}`)
      const sigmas = timesteps.map((_, index) => sigmaOf(sampler, start + index))
      for (const [index, sigma] of floats(each.sigmas).entries()) {
        const ours = sigmas[index] ?? Number.NaN
        if (Math.abs(ours - sigma) > TOLERANCE * sigma) t.fail(`sigma ${ours} is not ${sigma}: ${named}`)
      }
      const begun = start > 0 ? sampler.beginFrom(noise(1), noise(0)) : sampler.begin(noise(0))
      const theirs = floats(each.latents)
      const states = runOf(sampler, begun)
      t.equal(states.length * VALUES, theirs.length, `steps: ${named}`)
      for (const [index, latents] of states.entries()) {
        const apart = difference(latents, theirs.subarray(index * VALUES, (index + 1) * VALUES))
        if (apart > TOLERANCE) t.fail(`${apart} apart after ${index} steps: ${named}`)
      }
    }
  })
}

/** Noise over signal. */
function sigmaOf(sampler: Sampler, step: number): number {
  const [one, none] = [Float32Array.of(1), Float32Array.of(0)]
  return (sampler.noised(none, one, step)[0] ?? 0) / (sampler.noised(one, none, step)[0] ?? 0)
}

t.test('timesteps are spaced as in diffusers for any number of steps', async t => {
  const spaced = { ddim: evenTimesteps, dpmpp_2m: solverTimesteps }
  for (const [name, timesteps] of Object.entries(spaced)) {
    for (const spacing of ['leading', 'trailing', 'linspace'] as const) {
      const schedule = { ...stable, timestepSpacing: spacing, stepsOffset: 0 }
      const packed = golden.spacings[`${name} ${spacing}`] ?? ''
      const theirs = new Uint32Array(Uint8Array.from(Buffer.from(packed, 'base64')).buffer)
      const ours = theirs.map((_, index) =>
        timesteps(schedule, index + 1)
          .map(roundHalfEven)
          .reduce((sum, timestep, place) => sum + timestep * (place + 1), 0)
      )
      t.equal(theirs.length, 1000)
      t.strictSame(ours, theirs, `${name}, ${spacing}`)
    }
  }
})

t.test('guidance and its rescaling are as in diffusers', async t => {
  const [without, withPrompt] = [predict(3, noise(2)), predict(8, noise(5))]
  for (const { scale, rescale, values } of golden.guidance) {
    const ours = guided(without, withPrompt, { scale, rescale })
    t.ok(difference(ours, floats(values)) <= TOLERANCE, `scale ${scale}, rescale ${rescale}`)
  }
  t.strictSame(guided(without, withPrompt, { scale: 1 }), withPrompt)
})

t.test('a state that went as text over a wire gives the same bits', async t => {
  for (const scheduler of pictureSchedulers) {
    const edm = scheduler.startsWith('edm') ? { sigmaData: 0.5 } : {}
    const sampler = createSampler({ ...stable, ...edm }, { scheduler, steps: 7, eta: scheduler === 'ddim' ? 0.5 : 0 })
    const whole = runOf(sampler, sampler.begin(noise(0)))
    let state = sampler.begin(noise(0))
    for (const expected of whole.slice(1)) {
      const { step } = state
      const added = sampler.addsNoise(step) ? noise(16 + step) : undefined
      const done = sampler.step(state, predict(step, sampler.scaled(state)), added)
      t.equal(done.state.carried.length, carriedCount(scheduler), 'as frames are sized for')
      t.strictSame(done.state.latents, expected, `${scheduler} after step ${step}`)
      state = {
        step: done.state.step,
        latents: Float32Array.from(JSON.parse(JSON.stringify([...done.state.latents]))),
        carried: done.state.carried.map(values => values.slice())
      }
    }
  }
})

t.test('what is left of a picture without noise is the picture', async t => {
  for (const scheduler of pictureSchedulers) {
    const edm = scheduler.startsWith('edm') ? { sigmaData: 0.5 } : {}
    const schedule = { ...stable, ...edm, prediction: 'sample' as const }
    const sampler = createSampler(schedule, { scheduler, steps: 12 })
    const picture = Float32Array.of(0.5, -1.25, 3, 0)
    let state = sampler.begin(noise(0))
    while (state.step < sampler.steps) {
      const step = sampler.step(state, picture, sampler.addsNoise(state.step) ? noise(state.step) : undefined)
      if (scheduler !== 'lcm') t.strictSame(step.clean, picture, `${scheduler} sees it`)
      state = step.state
    }
    // DDIM's last step has a signal below 1 with this schedule
    const near = scheduler === 'ddim' ? 0.1 : 1e-4
    t.ok(difference(state.latents, picture) < near, `${scheduler} ends with it: ${state.latents}`)
    t.strictSame(sampler.noised(picture, noise(0), 12), picture, 'and adds no noise behind its end')
  }
})

t.test('as many steps as may be are numbers to the end', async t => {
  for (const scheduler of pictureSchedulers) {
    const edm = scheduler.startsWith('edm') ? { sigmaData: 0.5 } : {}
    for (const timestepSpacing of ['leading', 'linspace', 'trailing'] as const) {
      for (const steps of scheduler === 'lcm' ? [49, 50] : [998, 999, 1000]) {
        if (scheduler === 'dpmpp_2m' && timestepSpacing === 'leading' && steps === 1000) continue
        const sampler = createSampler({ ...stable, ...edm, timestepSpacing }, { scheduler, steps })
        const last = runOf(sampler, sampler.begin(noise(0))).at(-1) ?? []
        t.ok(last.length === VALUES && last.every(Number.isFinite), `${scheduler}, ${timestepSpacing}, ${steps} steps`)
      }
    }
  }
})

t.test('numbers of steps and schedulers that a model does not take are refused', async t => {
  const cases = [
    { init: { scheduler: 'euler', steps: 0 }, param: 'steps' },
    { init: { scheduler: 'euler', steps: 1.5 }, param: 'steps' },
    { init: { scheduler: 'euler', steps: Number.NaN }, param: 'steps' },
    { init: { scheduler: 'ddim', steps: 1001 }, param: 'steps' },
    { init: { scheduler: 'lcm', steps: 51 }, param: 'steps' },
    { init: { scheduler: 'dpmpp_2m', steps: 1000 }, param: 'steps' },
    { init: { scheduler: 'ddim', steps: 4, start: 4 }, param: 'strength' },
    { init: { scheduler: 'edm', steps: 4 }, param: 'scheduler' },
    { init: { scheduler: 'euler', steps: 4 }, schedule: { ...stable, sigmaData: 0.5 }, param: 'scheduler' }
  ] as const
  for (const { init, param, ...other } of cases) {
    const schedule = 'schedule' in other ? other.schedule : stable
    const refused = { code: 'invalid_request', details: { param } }
    t.throws(() => createSampler(schedule, init), refused, JSON.stringify(init))
  }
  const endless = { ...stable, rescaleBetasZeroSnr: true }
  for (const scheduler of ['ddim', 'lcm'] as const) {
    const refused = { code: 'invalid_request', details: { param: 'scheduler' } }
    t.throws(() => createSampler(endless, { scheduler, steps: 4 }), refused)
  }
  t.doesNotThrow(() => createSampler(endless, { scheduler: 'euler', steps: 4 }))
  t.throws(() => createSampler({ ...stable, trainSteps: 10 }, { scheduler: 'euler', steps: 11 }), MeshError)
})

t.test('the stream of noise is what docs/diffusion.md says', async t => {
  interface Draw {
    readonly seed: string
    readonly picture: number
    readonly draw: number
    readonly values: string
  }
  const { draws }: { draws: readonly Draw[] } = JSON.parse(readFileSync(new URL('noise.json', fixtures), 'utf8'))
  for (const { seed, picture, draw, values } of draws) {
    t.strictSame(pictureNoise(BigInt(seed), picture)(draw, 10), floats(values), `${seed}, ${picture}, ${draw}`)
  }
})
