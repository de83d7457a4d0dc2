import { deepStrictEqual } from 'node:assert/strict'
import { type DiffusionConfig, MeshError, pictureSchedulers } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { type DrawOptions, drawPicture, type PictureStep } from '../src/draw-picture.ts'
import { exponential } from '../src/exact-math.ts'
import { draws, pictureNoise } from '../src/noise.ts'
import type { PictureRequest } from '../src/picture-request.ts'
import {
  BEGIN,
  chunk,
  configOf,
  END,
  type Kind,
  LENGTH,
  SCALE,
  ScriptedDiffusion
} from './support/scripted-diffusion.ts'

const [WIDTH, HEIGHT] = [8, 6]
const LATENTS = (4 * WIDTH * HEIGHT) / SCALE / SCALE

const PROMPT = [[chunk(1, 2, 3)]]
const EMPTY = [[chunk()]]

const plain: PictureRequest = {
  prompt: PROMPT,
  negative: EMPTY,
  width: WIDTH,
  height: HEIGHT,
  steps: 5,
  guidanceScale: 7.5,
  seed: 42n,
  picture: 0
}

const pixels = {
  width: WIDTH,
  height: HEIGHT,
  values: Float32Array.from({ length: 3 * WIDTH * HEIGHT }, (_, at) => Math.sin(at))
}
/** The right half. */
const mask = Float32Array.from({ length: WIDTH * HEIGHT }, (_, at) => (at % WIDTH >= WIDTH / 2 ? 1 : 0))

function requestOf(kind: Kind, more: Partial<PictureRequest> = {}): PictureRequest {
  const both = kind === 'xl' ? { prompt: [...PROMPT, ...PROMPT], negative: [...EMPTY, ...EMPTY] } : {}
  const source = kind === 'masks' ? { source: { pixels, mask, strength: 1 } } : {}
  return { ...plain, ...both, ...source, ...more }
}

async function drawn(config: DiffusionConfig, request: PictureRequest, options: DrawOptions = {}) {
  const model = new ScriptedDiffusion(config)
  const steps: PictureStep[] = []
  const picture = await drawPicture(model, request, { ...options, onStep: step => void steps.push(step) })
  return { model, picture, steps }
}

t.test('a picture that goes on from any step is the same, bit for bit', async t => {
  const kinds: readonly Kind[] = ['plain', 'edm', 'masks', 'xl']
  const cases = fc.record({
    kind: fc.constantFrom(...kinds),
    scheduler: fc.constantFrom(...pictureSchedulers),
    steps: fc.integer({ min: 1, max: 6 }),
    guidanceScale: fc.constantFrom(0, 1, 3),
    guidanceRescale: fc.constantFrom(0, 0.7),
    strength: fc.constantFrom(undefined, 0.5, 1),
    masked: fc.boolean(),
    eta: fc.constantFrom(0, 0.5),
    picture: fc.integer({ min: 0, max: 3 })
  })
  await assertProperty(
    fc.asyncProperty(cases, async ({ kind, scheduler, strength, masked, steps, ...more }) => {
      if ((kind === 'edm') !== scheduler.startsWith('edm')) return
      if (kind === 'masks' && strength === undefined) return
      if (Math.floor(steps * (strength ?? 1)) === 0) return
      const source = strength === undefined ? {} : { source: { pixels, strength, ...(masked && { mask }) } }
      const request = requestOf(kind, { ...more, steps, scheduler, ...source })
      const config = configOf(kind)
      const whole = await drawn(config, request)
      for (const [index, { state }] of whole.steps.entries()) {
        const rest = await drawn(config, request, { from: structuredClone(state) })
        deepStrictEqual(rest.picture, whole.picture)
        deepStrictEqual(rest.steps, whole.steps.slice(index + 1))
      }
    }),
    { numRuns: 60 }
  )
  t.pass('for every sample')
})

t.test('guidance takes two runs a step, and none up to a scale of 1', async t => {
  const guided = await drawn(configOf(), plain)
  t.equal(guided.model.inputs.length, 2 * plain.steps)
  t.equal(guided.model.texts.length, 2)
  const [without, withPrompt] = guided.model.inputs
  t.strictSame(without?.latents, withPrompt?.latents, 'of the same latents')
  t.equal(without?.timestep, withPrompt?.timestep)
  t.notSame(without?.text.states, withPrompt?.text.states)
  for (const guidanceScale of [0, 0.5, 1]) {
    const alone = await drawn(configOf(), { ...plain, guidanceScale })
    t.equal(alone.model.inputs.length, plain.steps)
    t.strictSame(alone.model.texts, [[[BEGIN, 1, 2, 3, END, 0]]], 'and the negative prompt is not read')
  }
})

t.test('away from the prompt itself is no way: one run a step gives the same bits', async t => {
  const same = await drawn(configOf(), { ...plain, prompt: EMPTY })
  t.equal(same.model.inputs.length, plain.steps)
  const alone = await drawn(configOf(), { ...plain, prompt: EMPTY, guidanceScale: 1 })
  t.strictSame(same.picture, alone.picture)
})

t.test('an empty negative prompt of XL is zeros, and sizes are told', async t => {
  const { model } = await drawn(configOf('xl'), requestOf('xl'))
  t.equal(model.texts.length, 1)
  const [without, withPrompt] = model.inputs
  t.strictSame(without?.text, {
    states: new Float32Array(LENGTH * 4),
    pooled: new Float32Array(3),
    length: LENGTH,
    size: 4
  })
  t.strictSame(withPrompt?.text.pooled, Float32Array.of(6, 7, 8))
  t.strictSame(without?.timeIds, [HEIGHT, WIDTH, 0, 0, HEIGHT, WIDTH])
  const named = await drawn(configOf('xl'), requestOf('xl', { negative: [[chunk(4)], [chunk(4)]] }))
  t.equal(named.model.texts.length, 2)
})

t.test('what is seen before the last step is the picture, without noise', async t => {
  const { steps, model } = await drawn(configOf(), plain)
  t.strictSame(
    steps.map(({ step, steps }) => [step, steps]),
    [1, 2, 3, 4, 5].map(step => [step, 5])
  )
  const last = steps.at(-1)
  t.strictSame(last?.clean, model.decoded[0])
  t.strictSame(last?.clean.values, last?.state.latents)
  t.match(steps[0]?.clean, { channels: 4, height: HEIGHT / SCALE, width: WIDTH / SCALE })
})

t.test('seeds, and pictures of one seed, begin as noise of their own', async t => {
  const pictures = await Promise.all(
    [{}, { picture: 1 }, { seed: 43n }, { seed: 42n }].map(more => drawn(configOf(), { ...plain, ...more }))
  )
  const [first, second, third, again] = pictures.map(({ picture }) => picture)
  t.notSame(first, second)
  t.notSame(first, third)
  t.strictSame(first, again)
})

t.test('a picture that is made from another loses as much of it as its strength says', async t => {
  const config = configOf('edm')
  const noise = pictureNoise(plain.seed, plain.picture)
  for (const { strength, runs } of [
    { strength: 0.2, runs: 1 },
    { strength: 0.39, runs: 1 },
    { strength: 0.8, runs: 4 },
    { strength: 1, runs: 5 }
  ]) {
    const request = { ...plain, guidanceScale: 1, source: { pixels, strength } }
    const { model, steps } = await drawn(config, request)
    t.equal(model.inputs.length, runs, `strength ${strength}`)
    t.equal(steps[0]?.step, plain.steps - runs + 1)
  }
  const source = { pixels, strength: 0.4 }
  const { model } = await drawn(configOf(), { ...plain, guidanceScale: 1, source })
  const start = noise(draws.start, LATENTS)
  const inside = noise(draws.source, LATENTS)
  const { mean, logVariance } = await model.encode(pixels)
  const sigma = sigmaOfStep(model.inputs[0]?.timestep ?? 0)
  for (const at of [0, 7, LATENTS - 1]) {
    const sampled = (mean.values[at] ?? 0) + Math.exp((logVariance[at] ?? 0) / 2) * (inside[at] ?? 0)
    const noisy = (sampled - 0.25) * 0.5 + sigma * (start[at] ?? 0)
    const given = model.inputs[0]?.latents.values[at] ?? Number.NaN
    t.ok(Math.abs(given - noisy / Math.sqrt(sigma ** 2 + 1)) < 1e-5, `value ${at}`)
  }
})

/** Noise over signal, by the definition. */
function sigmaOfStep(timestep: number): number {
  let level = 1
  for (let step = 0; step <= timestep; step++) {
    const root = Math.sqrt(0.00085) + (step / 999) * (Math.sqrt(0.012) - Math.sqrt(0.00085))
    level *= 1 - root ** 2
  }
  return Math.sqrt((1 - level) / level)
}

t.test('what a mask keeps is the picture that came, bit for bit', async t => {
  for (const strength of [0.6, 1]) {
    const { model } = await drawn(configOf(), { ...plain, source: { pixels, strength, mask } })
    const [kept] = await latentsIn(model)
    const done = model.decoded[0]?.values ?? new Float32Array()
    let changed = 0
    for (const [at, value] of done.entries()) {
      const drawnAnew = at % (WIDTH / SCALE) >= WIDTH / SCALE / 2
      if (drawnAnew) changed += value === kept?.[at] ? 0 : 1
      else if (value !== kept?.[at]) t.fail(`value ${at} is ${value}, and was ${kept?.[at]}`)
    }
    t.equal(changed, LATENTS / 2)
  }
})

/** The latents that the picture came as. */
async function latentsIn(model: ScriptedDiffusion): Promise<Float32Array[]> {
  const { mean, logVariance } = await model.encode(pixels)
  const inside = pictureNoise(plain.seed, plain.picture)(draws.source, LATENTS)
  const sampled = mean.values.map((value, at) => value + exponential((logVariance[at] ?? 0) / 2) * (inside[at] ?? 0))
  return [sampled.map(value => (value - 0.25) * 0.5)]
}

t.test('a model that fills masks is given mask and masked picture', async t => {
  const { model } = await drawn(configOf('masks'), requestOf('masks'))
  t.equal(model.encoded.length, 1, 'at full strength nothing else of the picture counts')
  const plane = LATENTS / 4
  const { channels, values } = model.inputs[0]?.latents ?? { channels: 0, values: new Float32Array() }
  t.equal(channels, 9)
  t.equal(values.length, 9 * plane)
  t.strictSame([...values.slice(4 * plane, 5 * plane)], [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1])
  const hidden = model.encoded[0]?.values ?? new Float32Array()
  for (const [at, value] of pixels.values.entries()) {
    const expected = at % WIDTH >= WIDTH / 2 ? 0 : value
    if (hidden[at] !== expected) t.fail(`pixel ${at}`)
  }
  const partly = await drawn(configOf('masks'), requestOf('masks', { source: { pixels, mask, strength: 0.6 } }))
  t.equal(partly.model.encoded.length, 2)
  const whole = await drawn(configOf('masks'), requestOf('masks', { source: { pixels, strength: 1 } }))
  t.ok(whole.model.encoded[0]?.values.every(value => value === 0))
  const none = drawPicture(new ScriptedDiffusion(configOf('masks')), plain)
  await t.rejects(none, { code: 'invalid_request', details: { param: 'image' } })
})

t.test('parts that give no numbers are named', async t => {
  const source = { pixels, strength: 1 }
  const cases = [
    { broken: { part: 'denoiser', run: 0 }, details: { part: 'denoiser', step: 0 }, runs: 2 },
    { broken: { part: 'denoiser', run: 7 }, details: { part: 'denoiser', step: 3 }, runs: 8 },
    { broken: { part: 'denoiser', run: 4, value: Number.POSITIVE_INFINITY }, details: { step: 2 }, runs: 6 },
    { broken: { part: 'denoiser', run: 4, value: 3e38 }, details: { part: 'denoiser', step: 2 }, runs: 6 },
    { broken: { part: 'decoder' }, details: { part: 'decoder' }, runs: 10 },
    { broken: { part: 'encoder' }, details: { part: 'encoder' }, runs: 0, more: { source } }
  ] as const
  for (const { broken, details, runs, ...rest } of cases) {
    const model = new ScriptedDiffusion(configOf(), { broken })
    const request = { ...plain, ...('more' in rest ? rest.more : {}) }
    await t.rejects(drawPicture(model, request), { code: 'engine_failed', details }, JSON.stringify(broken))
    t.equal(model.inputs.length, runs)
  }
})

t.test('an abort ends a picture between two runs', async t => {
  const reason = new MeshError('canceled', 'nobody waits')
  for (const last of [1, 3, 5]) {
    const controller = new AbortController()
    const model = new ScriptedDiffusion(configOf())
    const onStep = ({ step }: PictureStep): void => {
      if (step === last) controller.abort(reason)
    }
    await t.rejects(drawPicture(model, plain, { signal: controller.signal, onStep }), reason)
    t.equal(model.inputs.length, 2 * last)
    t.equal(model.decoded.length, 0)
  }
  const model = new ScriptedDiffusion(configOf())
  await t.rejects(drawPicture(model, plain, { signal: AbortSignal.abort(reason) }), reason)
  t.strictSame(model.texts, [], 'before any run')
})

t.test('when one half of a step fails, nothing of it runs on', async t => {
  const failed = new MeshError('engine_failed', 'the runtime broke off')
  let release = (): void => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  const model = new ScriptedDiffusion(configOf(), {
    before: async run => {
      if (run === 0) throw failed
      await held
    }
  })
  let ended = false
  const picture = drawPicture(model, plain).finally(() => {
    ended = true
  })
  picture.catch(() => {})
  await new Promise(setImmediate)
  t.equal(model.running, 1)
  t.equal(ended, false)
  release()
  await t.rejects(picture, failed)
  t.equal(model.running, 0)
})

t.test('what onStep throws ends the picture', async t => {
  const gone = new MeshError('canceled', 'the coordinator is gone')
  const model = new ScriptedDiffusion(configOf())
  await t.rejects(drawPicture(model, plain, { onStep: () => Promise.reject(gone) }), gone)
  t.equal(model.inputs.length, 2)
})

t.test('states of another request are refused', async t => {
  const scheduler = 'dpmpp_2m'
  const { steps } = await drawn(configOf(), { ...plain, scheduler })
  const good = steps[1]?.state
  if (good === undefined) throw new Error('there are steps')
  const cases = [
    { ...good, step: 0 },
    { ...good, step: 6 },
    { ...good, step: 1.5 },
    { ...good, latents: good.latents.slice(1) },
    { ...good, latents: good.latents.with(3, Number.NaN) },
    { ...good, carried: [] },
    { ...good, carried: [...good.carried, ...good.carried] },
    { ...good, carried: [good.latents.slice(1)] }
  ]
  for (const from of cases) {
    const refused = drawPicture(new ScriptedDiffusion(configOf()), { ...plain, scheduler }, { from })
    await t.rejects(refused, { code: 'invalid_request', details: { param: 'from' } })
  }
  const other = drawPicture(new ScriptedDiffusion(configOf()), { ...plain, scheduler: 'ddim' }, { from: good })
  await t.rejects(other, { code: 'invalid_request', details: { param: 'from' } })
})

t.test('requests are refused before anything runs', async t => {
  const source = { pixels, strength: 0.5 }
  const cases: readonly { readonly param: string; readonly more: Partial<PictureRequest> }[] = [
    { param: 'size', more: { width: 7 } },
    { param: 'size', more: { height: 0 } },
    { param: 'size', more: { width: 4098 } },
    { param: 'size', more: { height: Number.NaN } },
    { param: 'steps', more: { steps: 1e9 } },
    { param: 'guidance_scale', more: { guidanceScale: -1 } },
    { param: 'guidance_scale', more: { guidanceScale: Number.NaN } },
    { param: 'guidance_rescale', more: { guidanceRescale: 1.1 } },
    { param: 'eta', more: { eta: 2 } },
    { param: 'seed', more: { seed: -1n } },
    { param: 'seed', more: { seed: 2n ** 64n } },
    { param: 'n', more: { picture: 0.5 } },
    { param: 'prompt', more: { prompt: [] } },
    { param: 'prompt', more: { prompt: [[]] } },
    { param: 'prompt', more: { prompt: [[chunk(1).slice(1)]] } },
    { param: 'prompt', more: { prompt: [...PROMPT, ...PROMPT] } },
    { param: 'negative_prompt', more: { negative: [[chunk(), chunk()]] } },
    { param: 'image', more: { source: { ...source, pixels: { ...pixels, width: 4 } } } },
    { param: 'image', more: { source: { ...source, pixels: { ...pixels, values: pixels.values.slice(1) } } } },
    {
      param: 'image',
      more: { source: { ...source, pixels: { ...pixels, values: pixels.values.with(0, Number.NaN) } } }
    },
    { param: 'strength', more: { source: { ...source, strength: 0 } } },
    { param: 'strength', more: { source: { ...source, strength: 1.01 } } },
    { param: 'strength', more: { source: { ...source, strength: 0.1 } } },
    { param: 'mask', more: { source: { ...source, mask: mask.slice(1) } } },
    { param: 'mask', more: { source: { ...source, mask: mask.with(0, Number.NaN) } } }
  ]
  for (const { param, more } of cases) {
    const model = new ScriptedDiffusion(configOf())
    await t.rejects(
      drawPicture(model, { ...plain, ...more }),
      { code: 'invalid_request', details: { param } },
      `${param}: ${JSON.stringify(Object.keys(more))}`
    )
    t.strictSame([model.inputs, model.texts, model.encoded], [[], [], []])
  }
})
