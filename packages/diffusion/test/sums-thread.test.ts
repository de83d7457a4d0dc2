import { type DiffusionSchedule, MeshError, type PictureScheduler } from '@resultity/interface'
import t from 'tap'
import { type PictureNumbers, SumsThread } from '../src/index.ts'
import { pictureNoise } from '../src/noise.ts'
import { OwnSums, type PictureSums, type SummedStep } from '../src/step-sums.ts'

const schedule: DiffusionSchedule = {
  trainSteps: 1000,
  betaStart: 0.00085,
  betaEnd: 0.012,
  betaSchedule: 'scaled_linear',
  prediction: 'epsilon',
  timestepSpacing: 'leading',
  stepsOffset: 1,
  setAlphaToOne: false,
  rescaleBetasZeroSnr: false,
  scheduler: 'ddim'
}

const numbersOf = (scheduler: PictureScheduler, change: Partial<PictureNumbers> = {}): PictureNumbers => ({
  schedule,
  scheduler,
  steps: 4,
  start: 0,
  eta: 0,
  guidanceScale: 7,
  guidanceRescale: 0.5,
  seed: 42n,
  picture: 1,
  latentCount: 64,
  ...change
})

/** All states of a picture whose denoiser says the same of each step. */
async function states(sums: PictureSums, predictions: readonly Float32Array[]): Promise<SummedStep[]> {
  const all: SummedStep[] = []
  let { state } = await sums.begin()
  while (state.step < 4) {
    const step = await sums.next(state, predictions)
    all.push(step)
    state = step.state
  }
  return all
}

t.test('a thread gives the bits that are made here', async t => {
  await using thread = new SumsThread()
  const noise = pictureNoise(3n, 0)
  const predictions = [noise(0, 64), noise(1, 64)]
  // one that adds noise, one that looks back, one that does neither
  for (const scheduler of ['euler_a', 'dpmpp_2m', 'ddim'] as const) {
    const numbers = numbersOf(scheduler)
    const here = new OwnSums(numbers)
    const there = thread.of(numbers)
    t.strictSame(await there.begin(), here.begin(), scheduler)
    for (const some of [predictions, predictions.slice(1)]) {
      const own = await states(here, some)
      t.strictSame(await states(there, some), own, `${scheduler}, ${some.length} runs a step`)
      const [first] = own
      t.strictSame(first && (await there.resume(first.state)), first && here.resume(first.state))
      t.equal(own.at(-1)?.input, undefined, 'behind the last step nothing is left to be denoised')
    }
  }
})

t.test('what is no number comes back as that, and the thread goes on', async t => {
  await using thread = new SumsThread()
  const sums = thread.of(numbersOf('euler'))
  const { state } = await sums.begin()
  const huge = new Float32Array(64).fill(3e38)
  const failed = await Promise.resolve(sums.next(state, [huge, huge.map(value => -value)])).catch(MeshError.from)
  t.match(failed, { code: 'engine_failed', details: { part: 'denoiser', step: 0 } })
  t.equal((await sums.next(state, [new Float32Array(64)])).state.step, 1)
})

t.test('behind its end it takes nothing', async t => {
  const thread = new SumsThread()
  await thread[Symbol.asyncDispose]()
  await t.rejects(Promise.resolve(thread.of(numbersOf('ddim')).begin()), { code: 'unavailable' })
})
