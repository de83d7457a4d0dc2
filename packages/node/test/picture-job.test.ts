import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { drawLatents, requestOfSettings, type StepModel } from '@resultity/diffusion'
import { createEngine } from '@resultity/engine'
import {
  DENOISE_ENDPOINT,
  type DenoiseJob,
  type DiffusionManifest,
  type DiffusionModel,
  diffusionSections,
  latentScale,
  MeshError,
  PICTURES_ENDPOINT,
  type PictureEvent,
  type PictureJob,
  type PictureState,
  type PromptTokens,
  readDenoiseResult,
  readPictureEvent,
  readPictureResult,
  requireDiffusion,
  systemScheduler,
  type TextStates,
  weightFiles,
  writeDenoiseJob,
  writePictureJob
} from '@resultity/interface'
import { convertModel } from '@resultity/model'
import t from 'tap'
import { JOB_ENDPOINTS } from '../src/job-endpoints.ts'
import { TextCache } from '../src/text-cache.ts'

const folder = join(import.meta.dirname, '../../../diffusion-model/test/fixtures/tiny-sd')

const directory = await realpath(await mkdtemp(join(tmpdir(), 'picture-job-')))
const store = await FileBlobStore.open(directory)
const manifest: DiffusionManifest = requireDiffusion((await convertModel(folder, { store, name: 'tiny' })).manifest)
const paths = new Map<string, string>()
for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
const engine = await createEngine()
const model = await engine.loadDiffusion({
  manifest,
  threads: 1,
  spinning: false,
  workDir: directory,
  weightPath: ({ sha256 }) => paths.get(sha256) ?? ''
})
t.teardown(async () => {
  await model[Symbol.asyncDispose]()
  await store[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

const sections = new Set(diffusionSections)
const measurement = { decodeMsPerLayer: 1, prefillMsPerPositionLayer: 1, fixedMs: 0, digest: '' }
const { length, beginToken, endToken, padToken } = manifest.config.textEncoders[0] ?? { length: 0 }
const chunk = (...tokens: number[]): number[] =>
  Array.from({ length }, (_, at) => [beginToken, ...tokens, endToken][at] ?? padToken ?? 0)

const scale = latentScale(manifest.config)
const sizes = { width: 32, height: 24, carried: 0, latentValues: (4 * 32 * 24) / scale ** 2 }
const job: PictureJob = {
  picture: 0,
  prompt: [[chunk(320, 515)]],
  negative: [[chunk()]],
  width: 32,
  height: 24,
  steps: 4,
  scheduler: 'euler_a',
  guidance: 3,
  guidanceRescale: 0,
  seed: '7',
  previews: []
}

/** A clock that has moved by `ms` whenever somebody looks. */
const clock = (ms: number) => {
  let now = 0
  return { ...systemScheduler, monotonic: () => (now += ms) }
}

interface Run {
  readonly signal?: AbortSignal
  /** Between two looks at the clock. Default: long enough for a state with each step. */
  readonly msPerStep?: number
  tell?(event: PictureEvent): Promise<void>
  readonly diffusion?: DiffusionModel
}

async function run(change: Partial<PictureJob> = {}, { signal, msPerStep = 1000, tell, diffusion = model }: Run = {}) {
  const asked = { ...job, ...change }
  const carried = asked.scheduler === 'dpmpp_2m' ? 1 : 0
  const work = JOB_ENDPOINTS.get(PICTURES_ENDPOINT)?.(writePictureJob(asked))
  const events: PictureEvent[] = []
  const result = await work?.(
    { kind: 'diffusion', diffusion, manifest, sections, texts: new TextCache(), measurement, memoryBytes: 0 },
    {
      ...(signal && { signal }),
      scheduler: clock(msPerStep),
      tell: async bytes => {
        const event = readPictureEvent(bytes, { ...sizes, carried })
        if (event === undefined) throw new Error('a node tells events of its picture')
        events.push(event)
        await tell?.(event)
      }
    }
  )
  return { rgb: readPictureResult(result ?? new Uint8Array(), sizes), events }
}

const statesOf = (events: readonly PictureEvent[]): PictureState[] =>
  events.flatMap(event => (event.type === 'step' && event.state !== undefined ? [event.state] : []))

t.test('a picture goes on from any of its states, on any node, and is the same', async t => {
  const rgb = Uint8Array.from({ length: 3 * 32 * 24 }, (_, at) => (at * 7) % 256)
  const mask = Uint8Array.from({ length: 32 * 24 }, (_, at) => (at % 32 < 16 ? 255 : 0))
  const cases: Record<string, Partial<PictureJob>> = {
    'of noise': {},
    'with a scheduler that looks back': { scheduler: 'dpmpp_2m' },
    'of another picture': { start: { rgb, strength: 0.8 } },
    'of a part of another': { start: { rgb, strength: 0.8, mask } }
  }
  const pictures = new Set<string>()
  for (const [what, change] of Object.entries(cases)) {
    const { rgb, events } = await run(change)
    const first = change.start === undefined ? 1 : 2
    const steps = [1, 2, 3, 4].slice(first - 1)
    t.strictSame(
      events.map(({ type, step }) => [type, step]),
      steps.map(step => ['step', step]),
      what
    )
    t.equal(statesOf(events).length, steps.length)
    for (const from of statesOf(events)) {
      const resumed = await run({ ...change, from })
      t.strictSame(resumed.rgb, rgb, `${what}, from step ${from.step}`)
      t.strictSame(statesOf(resumed.events), statesOf(events).slice(from.step - first + 1), 'and so are its steps')
    }
    pictures.add(Buffer.from(rgb ?? []).toString('base64'))
  }
  t.equal(pictures.size, 4, 'they differ from each other')
  const other = await run({ picture: 1 })
  t.notSame(other.rgb, (await run()).rgb, 'another picture of the same request has noise of its own')
})

t.test('steps that are made elsewhere, of runs on nodes, are the same', async t => {
  const texts = new TextCache()
  const ready = { kind: 'diffusion', diffusion: model, manifest, sections, texts, measurement, memoryBytes: 0 } as const
  const options = { scheduler: systemScheduler, tell: async () => {} }
  const denoise = async (job: DenoiseJob): Promise<Float32Array> => {
    const result = await JOB_ENDPOINTS.get(DENOISE_ENDPOINT)?.(writeDenoiseJob(job))(ready, options)
    return readDenoiseResult(result ?? new Uint8Array(), job.latents.values.length) ?? new Float32Array()
  }
  const prompts = new Map<TextStates, PromptTokens>()
  const nodes: StepModel = {
    config: manifest.config,
    encodeText: async prompt => {
      const none = new Float32Array()
      const text = { states: none, pooled: none, length, size: 0 }
      prompts.set(
        text,
        prompt.map(all => all.map(chunk => [...chunk]))
      )
      return text
    },
    denoise: ({ text, ...input }) => denoise({ ...input, prompt: prompts.get(text), chunks: 1 }),
    encode: () => Promise.reject(new Error('there is no picture'))
  }
  const { values } = await drawLatents(nodes, requestOfSettings(job, 0))
  t.strictSame(values, statesOf((await run()).events).at(-1)?.latents)

  const [height, width] = [6, 8]
  const latents = { channels: 4, height, width, values: new Float32Array(4 * height * width).fill(0.3) }
  const input = { latents, timestep: 10, timeIds: [] }
  const { contextSize } = manifest.config.denoiser
  const zeros = {
    states: new Float32Array(length * contextSize),
    pooled: new Float32Array(),
    length,
    size: contextSize
  }
  const unsaid = await denoise({ ...input, prompt: undefined, chunks: 1 })
  t.strictSame(unsaid, await model.denoise({ ...input, text: zeros }), 'a prompt of zeros')
  const wrong: [string, Uint8Array, string][] = [
    ['no job', new Uint8Array(3), 'protocol_violation'],
    [
      'too few numbers',
      writeDenoiseJob({ ...input, latents: { ...latents, height: 7 }, prompt: undefined, chunks: 1 }),
      'protocol_violation'
    ],
    ['no chunk', writeDenoiseJob({ ...input, prompt: undefined, chunks: 0 }), 'protocol_violation'],
    ['time ids too many', writeDenoiseJob({ ...input, prompt: undefined, chunks: 1, timeIds: [1] }), 'invalid_request'],
    ['tokens that it lacks', writeDenoiseJob({ ...input, prompt: [[chunk(4_000_000)]], chunks: 1 }), 'invalid_request']
  ]
  for (const [what, body, code] of wrong) {
    const work = async () => await JOB_ENDPOINTS.get(DENOISE_ENDPOINT)?.(body)(ready, options)
    await t.rejects(work(), { code }, what)
  }
})

t.test('states of prompts are kept, those that were used last', async t => {
  const texts = new TextCache()
  let encoded = 0
  const ask = (prompt: number) =>
    texts.of([[[prompt]]], async () => {
      encoded++
      return { states: Float32Array.of(prompt), pooled: new Float32Array(), length: 1, size: 1 }
    })
  for (let prompt = 0; prompt < 16; prompt++) await ask(prompt)
  t.strictSame((await ask(0)).states, Float32Array.of(0))
  t.equal(encoded, 16)
  await ask(16)
  await ask(0)
  t.equal(encoded, 17)
  await ask(1)
  t.equal(encoded, 18, 'the one that was not used for the longest time went')

  const long = (prompt: number) =>
    texts.of([[[prompt], [prompt]]], async () => {
      encoded++
      return { states: new Float32Array(2_500_000), pooled: new Float32Array(), length: 1232, size: 2048 }
    })
  encoded = 0
  for (let prompt = 0; prompt < 5; prompt++) await long(prompt)
  for (let prompt = 2; prompt < 5; prompt++) await long(prompt)
  t.equal(encoded, 5, 'three of 10 MB are kept')
  await long(1)
  t.equal(encoded, 6, 'and no more')
})

t.test('previews come before the steps that they show', async t => {
  const { rgb, events } = await run({ previews: [2, 4] })
  t.strictSame(
    events.map(({ type, step }) => `${type} ${step}`),
    ['step 1', 'preview 2', 'step 2', 'step 3', 'preview 4', 'step 4']
  )
  const last = events.find(({ type, step }) => type === 'preview' && step === 4)
  t.strictSame(last?.type === 'preview' ? last.rgb : undefined, rgb, 'behind the last step it is the picture')
})

t.test('where steps are fast, states are few, and the last one is there', async t => {
  const { events } = await run({ steps: 8 }, { msPerStep: 100 })
  t.equal(events.length, 8)
  t.strictSame(
    statesOf(events).map(({ step }) => step),
    [1, 4, 7, 8]
  )
})

t.test('a coordinator that does not listen is waited for, a step ahead', async t => {
  const denoised: number[] = []
  const counted: DiffusionModel = {
    config: model.config,
    encodeText: (...all) => model.encodeText(...all),
    denoise: (input, options) => {
      denoised.push(input.timestep)
      return model.denoise(input, options)
    },
    decode: (...all) => model.decode(...all),
    encode: (...all) => model.encode(...all),
    [Symbol.asyncDispose]: async () => {}
  }
  const listening = Promise.withResolvers<void>()
  const second = Promise.withResolvers<void>()
  const tell = (): Promise<void> => listening.promise
  const drawn = run({ guidance: 1 }, { tell, diffusion: counted })
  // all that can be done without being heard: the first step, and the second, whose telling waits
  const settled = setInterval(() => denoised.length >= 2 && second.resolve(), 5)
  await second.promise
  clearInterval(settled)
  await model.decode({ channels: 4, height: 4, width: 4, values: new Float32Array(64) })
  t.equal(denoised.length, 2)
  listening.resolve()
  t.ok((await drawn).rgb)
  t.equal(denoised.length, 4)
})

t.test('a job that ends stops within its picture', async t => {
  const stop = new AbortController()
  const reason = new MeshError('canceled', 'enough')
  const told: number[] = []
  const tell = async ({ step }: PictureEvent): Promise<void> => {
    told.push(step)
    if (step === 2) stop.abort(reason)
  }
  await t.rejects(run({ steps: 100 }, { signal: stop.signal, tell }), reason)
  t.ok(told.length <= 3, `${told.length} steps were told`)
  t.ok((await run()).rgb, 'and the next is drawn')
})

t.test('what the model does not draw is refused', async t => {
  const wrong: [string, Partial<PictureJob>, string][] = [
    ['a side of half a latent', { width: 30 }, 'invalid_request'],
    ['more pixels than it was made for', { width: 512, height: 512 }, 'resource_exhausted'],
    ['tokens that it lacks', { prompt: [[chunk(4_000_000)]] }, 'invalid_request'],
    ['a chunk that is too short', { prompt: [[[1, 2]]] }, 'invalid_request'],
    ['another scheduler', { scheduler: 'edm' }, 'invalid_request'],
    ['a state of another size', { from: { step: 1, latents: new Float32Array(7), carried: [] } }, 'invalid_request'],
    ['no step', { steps: 0 }, 'protocol_violation']
  ]
  for (const [what, change, code] of wrong) await t.rejects(run(change), { code }, what)
})
