import { cp, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { drawPicture, type PictureRequest, type PictureStep } from '@resultity/diffusion'
import { createEngine, type EngineKind } from '@resultity/engine'
import {
  type DiffusionModel,
  type PictureScheduler,
  PROMPT_CHUNKS_MAX,
  requireDiffusion,
  weightFiles
} from '@resultity/interface'
import { convertModel } from '@resultity/model'
import { type ClipTokenizer, encodePicturePrompts, loadClipTokenizers } from '@resultity/tokenizer'
import t from 'tap'

const models = join(import.meta.dirname, '../../packages/diffusion-model/test/fixtures')

/** A picture of diffusers, as scripts/reference-pictures.py writes it. */
interface Case {
  readonly model: string
  /** In EDM's terms with means and deviations of latents; with channels for a mask. */
  readonly variant?: 'edm' | 'masks'
  readonly scheduler: PictureScheduler
  readonly prompt: string
  readonly negative: string
  readonly steps: number
  readonly guidance: number
  readonly rescale?: number
  readonly strength?: number
  readonly masked?: boolean
  /** f32 in base64. */
  readonly latents: string
  /** f16 in base64. */
  readonly pixels: string
}

interface Golden {
  readonly width: number
  readonly height: number
  readonly seed: string
  readonly cases: readonly Case[]
}

const golden: Golden = JSON.parse(await readFile(join(import.meta.dirname, '../fixtures/pictures.json'), 'utf8'))
const { width, height } = golden

/** Decibels below the difference between black and white that two pictures may differ by; 83 and more are seen. */
const PSNR_MIN = 60
/** Of the greatest value; what is seen is a fiftieth of it. */
const LATENTS_APART_MAX = 1e-4

interface Loaded {
  readonly model: DiffusionModel
  readonly tokenizers: readonly ClipTokenizer[]
}

const loadedModels = new Map<string, Promise<Loaded>>()

/** Loaded once for all tests of this file. */
function modelOf(name: string, kind: EngineKind, variant?: Case['variant']): Promise<Loaded> {
  const key = `${name} ${kind} ${variant}`
  const loaded = loadedModels.get(key) ?? loadFolder(name, kind, variant)
  loadedModels.set(key, loaded)
  return loaded
}

/** A model of a folder as diffusers publishes it, imported and loaded as a node does. */
async function loadFolder(name: string, kind: EngineKind, variant?: Case['variant']): Promise<Loaded> {
  const workDir = await realpath(await mkdtemp(join(tmpdir(), 'drawn-pictures-')))
  const store = await FileBlobStore.open(join(workDir, 'blobs'))
  const folder = join(workDir, 'model')
  await cp(join(models, name), folder, { recursive: true })
  if (variant === 'edm') await toEdmTerms(folder)
  if (variant === 'masks') await addMaskChannels(folder)
  const manifest = requireDiffusion((await convertModel(folder, { store, name })).manifest)
  const paths = new Map<string, string>()
  for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
  const engine = await createEngine(kind)
  const weightPath = ({ sha256 }: { readonly sha256: string }): string => paths.get(sha256) ?? ''
  const model = await engine.loadDiffusion({ manifest, threads: 1, spinning: false, workDir, weightPath })
  t.teardown(async () => {
    await model[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    await rm(workDir, { recursive: true, force: true })
  })
  return { model, tokenizers: await loadClipTokenizers(manifest, store) }
}

async function changeJson(path: string, changes: object): Promise<void> {
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...changes }))
}

/** As Playground v2.5 is published. */
async function toEdmTerms(folder: string): Promise<void> {
  const scheduler = { _class_name: 'EDMDPMSolverMultistepScheduler', sigma_min: 0.002, sigma_max: 80, sigma_data: 0.5 }
  await writeFile(join(folder, 'scheduler/scheduler_config.json'), JSON.stringify(scheduler))
  const latents = { latents_mean: [-1.5, 0.25, 0.5, 2], latents_std: [4, 2, 5, 8] }
  await changeJson(join(folder, 'vae/config.json'), latents)
}

interface Tensor {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data_offsets: readonly [number, number]
}

/** The first convolution gets five more channels, whose weights follow a formula. */
async function addMaskChannels(folder: string): Promise<void> {
  await changeJson(join(folder, 'unet/config.json'), { in_channels: 9 })
  const path = join(folder, 'unet/diffusion_pytorch_model.safetensors')
  const file = await readFile(path)
  const begin = 8 + Number(file.readBigUInt64LE())
  const { __metadata__: _, ...tensors }: Record<string, Tensor> = JSON.parse(file.toString('utf8', 8, begin))
  const parts: Uint8Array[] = []
  let offset = 0
  const header = Object.entries(tensors).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [first, end]
      }
    ]) => {
      const own = file.subarray(begin + first, begin + end)
      const first9 = name === 'conv_in.weight'
      const data = first9 ? withMoreChannels(own) : own
      parts.push(data)
      const from = offset
      offset += data.length
      return [name, { dtype, shape: first9 ? shape.with(1, 9) : shape, data_offsets: [from, offset] }]
    }
  )
  const text = Buffer.from(JSON.stringify(Object.fromEntries(header)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  await writeFile(path, Buffer.concat([length, text, ...parts]))
}

/** f16 `[out, 4, 3, 3]` becomes `[out, 9, 3, 3]`. */
function withMoreChannels(bytes: Uint8Array): Uint8Array {
  const old = new Float16Array(Uint8Array.from(bytes).buffer)
  const [taps, ownTaps] = [9 * 9, 4 * 9]
  const made = Float16Array.from({ length: (old.length / ownTaps) * taps }, (_, index) => {
    const tap = index % taps
    return tap < ownTaps ? (old[Math.floor(index / taps) * ownTaps + tap] ?? 0) : (((index * 31) % 61) - 30) / 256
  })
  return new Uint8Array(made.buffer)
}

function requestOf({ tokenizers }: Loaded, each: Case): PictureRequest {
  const { prompt, negative, scheduler, steps, guidance, rescale = 0, strength, masked } = each
  const tokens = encodePicturePrompts(tokenizers, { prompt, negative }, { chunksMax: PROMPT_CHUNKS_MAX })
  const typed = (encoders: readonly (readonly (readonly number[])[])[]): Uint32Array[][] =>
    encoders.map(chunks => chunks.map(chunk => Uint32Array.from(chunk)))
  const source =
    strength === undefined ? {} : { source: { pixels: picture(), strength, ...(masked && { mask: mask() }) } }
  return {
    prompt: typed(tokens.prompt),
    negative: typed(tokens.negative),
    width,
    height,
    steps,
    scheduler,
    guidanceScale: guidance,
    guidanceRescale: rescale,
    seed: BigInt(golden.seed),
    picture: 0,
    ...source
  }
}

function picture() {
  const values = Float32Array.from({ length: 3 * height * width }, (_, index) => ((index * 89) % 256) / 128 - 1)
  return { width, height, values }
}

function mask(): Float32Array {
  return Float32Array.from({ length: height * width }, (_, index) => {
    return (Math.floor(index / width) + 2 * (index % width)) % 40 >= 17 ? 1 : 0
  })
}

function bytesOf(packed: string): ArrayBuffer {
  return Uint8Array.from(Buffer.from(packed, 'base64')).buffer
}

async function drawn({ model }: Loaded, request: PictureRequest) {
  const steps: PictureStep[] = []
  const pixels = await drawPicture(model, request, { onStep: step => void steps.push(step) })
  return { pixels: pixels.values, steps, latents: steps.at(-1)?.state.latents ?? new Float32Array() }
}

/** Peak signal over noise, of a peak as high as from black to white. */
function psnr(ours: Float32Array, theirs: Float16Array): number {
  const squares = ours.reduce((sum, value, index) => sum + (value - (theirs[index] ?? Number.NaN)) ** 2, 0)
  return 10 * Math.log10(4 / (squares / ours.length))
}

for (const [name, variant] of [
  ['tiny-sd', undefined],
  ['tiny-sd', 'masks'],
  ['tiny-sd2', undefined],
  ['tiny-xl', undefined],
  ['tiny-xl', 'edm']
] as const) {
  const kind = variant === undefined ? name : `${name}, ${variant},`
  t.test(`pictures of ${kind} are those of diffusers' pipelines, of the same noise`, async t => {
    const loaded = await modelOf(name, 'capi', variant)
    const cases = golden.cases.filter(each => each.model === name && each.variant === variant)
    t.ok(cases.length > 1)
    for (const each of cases) {
      const { latents, pixels, scheduler, strength, masked = false } = each
      const named = `${scheduler}${strength === undefined ? '' : ` from another at ${strength}, masked: ${masked}`}`
      const ours = await drawn(loaded, requestOf(loaded, each))
      const theirs = new Float32Array(bytesOf(latents))
      const most = theirs.reduce((sum, value) => Math.max(sum, Math.abs(value)), 0)
      const apart = ours.latents.reduce((sum, x, at) => Math.max(sum, Math.abs(x - (theirs[at] ?? Number.NaN))), 0)
      t.ok(apart <= LATENTS_APART_MAX * most, `${named}: latents ${apart} apart of ${most}`)
      const decibels = psnr(ours.pixels, new Float16Array(bytesOf(pixels)))
      t.ok(decibels >= PSNR_MIN, `${named}: ${decibels.toFixed(1)} dB`)
    }
  })
}

t.test('a picture goes on from any step on a model that is loaded elsewhere, bit for bit', async t => {
  const [first, second] = [await modelOf('tiny-sd', 'capi'), await modelOf('tiny-sd', 'node')]
  for (const each of golden.cases.filter(({ model, variant }) => model === 'tiny-sd' && variant === undefined)) {
    const request = requestOf(first, each)
    const whole = await drawn(first, request)
    for (const { state } of whole.steps) {
      const rest = await drawPicture(second.model, request, { from: structuredClone(state) })
      if (Buffer.compare(Buffer.from(rest.values.buffer), Buffer.from(whole.pixels.buffer)) !== 0) {
        t.fail(`${each.scheduler} from step ${state.step}`)
      }
    }
  }
  t.pass('for every case')
})

t.test('what stands behind the first chunk of a prompt counts', async t => {
  const loaded = await modelOf('tiny-xl', 'capi')
  const [each] = golden.cases.filter(({ model }) => model === 'tiny-xl')
  if (each === undefined) throw new Error('there is a case')
  const long = 'the cat on the mat '.repeat(25)
  const requests = [`${long} at dawn`, `${long} at noon`].map(prompt => requestOf(loaded, { ...each, prompt }))
  t.equal(requests[0]?.prompt[0]?.length, 2)
  const [dawn, noon] = await Promise.all(requests.map(request => drawn(loaded, request)))
  t.notSame(dawn?.pixels, noon?.pixels)
})
