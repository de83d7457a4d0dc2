import { readFileSync } from 'node:fs'
import { type DiffusionSchedule, diffusionScheduleSchema } from '@resultity/interface'
import t from 'tap'
import { createPriorSampler, createSampler, type Sampler } from '../src/sampler.ts'

/** Steps of a scheduler of diffusers that is told fixed numbers, as scripts/reference-kandinsky.py writes them. */
interface Table {
  readonly steps: number
  readonly timesteps: readonly number[]
  /** Behind each step. */
  readonly latents: readonly (readonly number[])[]
}

const path = new URL('../../test/fixtures/posterior.json', import.meta.url)
const golden: Readonly<Record<'learned' | 'fixed' | 'unclip', readonly Table[]>> = JSON.parse(
  readFileSync(path, 'utf8')
)

const VALUES = 6
const TOLERANCE = 1e-5

const values = (seed: number, count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => Math.sin(index * 1.7 + seed))

const schedule: DiffusionSchedule = diffusionScheduleSchema.parse({
  trainSteps: 1000,
  betaStart: 0.00085,
  betaEnd: 0.012,
  betaSchedule: 'linear',
  prediction: 'epsilon',
  timestepSpacing: 'leading',
  stepsOffset: 0,
  setAlphaToOne: true,
  rescaleBetasZeroSnr: false,
  scheduler: 'ddpm'
})

const kinds = {
  learned: {
    predicted: 12,
    sampler: (steps: number) => createSampler({ ...schedule, clip: 2 }, { scheduler: 'ddpm', steps })
  },
  fixed: { predicted: 6, sampler: (steps: number) => createSampler(schedule, { scheduler: 'ddpm', steps }) },
  unclip: { predicted: 6, sampler: (steps: number) => createPriorSampler({ trainSteps: 1000, clip: 5 }, steps) }
} as const

function latentsOf(sampler: Sampler, predicted: number): Float32Array[] {
  let state = sampler.begin(values(0, VALUES))
  let drawn = 0
  const behind: Float32Array[] = []
  for (const step of sampler.timesteps.keys()) {
    const noise = sampler.addsNoise(step) ? values(100 + drawn++, VALUES) : undefined
    state = sampler.step(state, values(1 + step, predicted), noise).state
    behind.push(state.latents)
  }
  return behind
}

for (const [kind, { predicted, sampler: make }] of Object.entries(kinds)) {
  t.test(`${kind}: timesteps and latents are those of the reference`, async t => {
    for (const { steps, timesteps, latents } of golden[kind as keyof typeof kinds]) {
      const sampler = make(steps)
      t.strictSame(sampler.timesteps, timesteps, `${steps} steps`)
      const ours = latentsOf(sampler, predicted)
      for (const [step, theirs] of latents.entries()) {
        const most = Math.max(...theirs.map(Math.abs))
        const apart = Math.max(...theirs.map((value, at) => Math.abs(value - (ours[step]?.[at] ?? Number.NaN))))
        if (!(apart <= TOLERANCE * most)) t.fail(`step ${step} of ${steps}: ${apart} apart of ${most}`)
      }
    }
    t.pass('every step')
  })
}

t.test('a share of the variance that is no number, or beyond every bound, ends in no wrong number', async t => {
  const sampler = createSampler({ ...schedule, clip: 2 }, { scheduler: 'ddpm', steps: 3 })
  const state = sampler.begin(values(0, VALUES))
  const told = (share: number): Float32Array =>
    Float32Array.from({ length: 12 }, (_, at) => (at < VALUES ? 0.5 : share))
  const stepped = (share: number) => sampler.step(state, told(share), values(1, VALUES)).state.latents
  t.ok(stepped(Number.NaN).every(Number.isNaN))
  t.ok(stepped(-1e9).every(Number.isFinite), 'no noise at all')
  t.notOk(stepped(1e9).every(Number.isFinite), 'a deviation beyond float32 is seen as what it is')
})
