import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { drawPicture, type PictureRequest, type PictureStep } from '@resultity/diffusion'
import { createEngine, type EngineKind } from '@resultity/engine'
import {
  type DiffusionModel,
  type PictureScheduler,
  PROMPT_CHUNKS_MAX,
  requireDiffusion,
  weightFiles
} from '@resultity/interface'
import { convertModel, FileBlobStore } from '@resultity/model'
import { type ClipTokenizer, encodePicturePrompts, loadClipTokenizers } from '@resultity/tokenizer'
import t from 'tap'

const models = join(import.meta.dirname, '../../packages/diffusion-model/test/fixtures')

/** A picture of diffusers, as scripts/reference-pictures.py writes it. */
interface Case {
  readonly model: string
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

/** Decibels below the difference between black and white that two pictures may differ by. */
const PSNR_MIN = 40
/** Of the greatest value; what is seen is a hundredth of it. */
const LATENTS_APART_MAX = 1e-4

interface Loaded {
  readonly model: DiffusionModel
  readonly tokenizers: readonly ClipTokenizer[]
}

const loadedModels = new Map<string, Promise<Loaded>>()

/** Loaded once for all tests of this file. */
function modelOf(name: string, kind: EngineKind): Promise<Loaded> {
  const key = `${name} ${kind}`
  const loaded = loadedModels.get(key) ?? loadFolder(name, kind)
  loadedModels.set(key, loaded)
  return loaded
}

/** A model of a folder as diffusers publishes it, imported and loaded as a node does. */
async function loadFolder(name: string, kind: EngineKind): Promise<Loaded> {
  const workDir = await realpath(await mkdtemp(join(tmpdir(), 'drawn-pictures-')))
  const store = await FileBlobStore.open(join(workDir, 'blobs'))
  const manifest = requireDiffusion((await convertModel(join(models, name), { store, name })).manifest)
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

for (const name of ['tiny-sd', 'tiny-sd2', 'tiny-xl']) {
  t.test(`pictures of ${name} are those of diffusers' pipelines, of the same noise`, async t => {
    const loaded = await modelOf(name, 'capi')
    const cases = golden.cases.filter(({ model }) => model === name)
    t.ok(cases.length >= 4)
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
  for (const each of golden.cases.filter(({ model }) => model === 'tiny-sd')) {
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
