import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { drawPicture, type PictureRequest, type PictureStep } from '@resultity/diffusion'
import { createEngine, type EngineKind } from '@resultity/engine'
import { type DiffusionModel, type PictureScheduler, requireDiffusion, weightFiles } from '@resultity/interface'
import { convertModel } from '@resultity/model'
import { type ClipTokenizer, encodePicturePrompts, loadClipTokenizers } from '@resultity/tokenizer'
import t from 'tap'

const models = join(import.meta.dirname, '../../packages/diffusion-model/test/fixtures')

/** A picture of diffusers, as scripts/reference-kandinsky.py writes it; numbers are f32 in base64, pixels f16. */
interface Case {
  readonly scheduler: PictureScheduler
  readonly prompt: string
  readonly negative: string
  readonly steps: number
  readonly guidance: number
  readonly strength?: number
  /** Embeddings that the prior made. */
  readonly shown: string
  readonly notShown: string
  readonly latents: string
  readonly pixels: string
}

interface Golden {
  readonly width: number
  readonly height: number
  readonly seed: string
  readonly cases: readonly Case[]
}

const golden: Golden = JSON.parse(await readFile(join(import.meta.dirname, '../fixtures/kandinsky.json'), 'utf8'))
const { width, height } = golden

/** Decibels below the difference between black and white that two pictures may differ by. */
const PSNR_MIN = 60
/** Of the greatest value. */
const APART_MAX = 1e-4

interface Loaded {
  readonly model: DiffusionModel
  readonly tokenizers: readonly ClipTokenizer[]
}

async function load(kind: EngineKind): Promise<Loaded> {
  const workDir = await realpath(await mkdtemp(join(tmpdir(), 'drawn-embeddings-')))
  const store = await FileBlobStore.open(join(workDir, 'blobs'))
  const converted = await convertModel(join(models, 'tiny-kandinsky'), { store, name: 'tiny-kandinsky' })
  const manifest = requireDiffusion(converted.manifest)
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

const loaded = await load('capi')

function requestOf({ prompt, negative, scheduler, steps, guidance, strength }: Case): PictureRequest {
  const tokens = encodePicturePrompts(loaded.tokenizers, { prompt, negative }, { chunksMax: 1 })
  const typed = (encoders: readonly (readonly (readonly number[])[])[]): Uint32Array[][] =>
    encoders.map(chunks => chunks.map(chunk => Uint32Array.from(chunk)))
  const values = Float32Array.from({ length: 3 * height * width }, (_, index) => ((index * 89) % 256) / 128 - 1)
  return {
    prompt: typed(tokens.prompt),
    negative: typed(tokens.negative),
    width,
    height,
    steps,
    scheduler,
    guidanceScale: guidance,
    seed: BigInt(golden.seed),
    picture: 0,
    ...(strength === undefined ? {} : { source: { pixels: { width, height, values }, strength } })
  }
}

const floats = (packed: string): Float32Array => new Float32Array(Uint8Array.from(Buffer.from(packed, 'base64')).buffer)

async function drawn({ model }: Loaded, request: PictureRequest) {
  const steps: PictureStep[] = []
  const texts: Float32Array[] = []
  const watched: DiffusionModel = {
    config: model.config,
    prior: model.prior,
    encodeText: (...all) => model.encodeText(...all),
    denoise: (input, options) => {
      texts.push(input.text.states)
      return model.denoise(input, options)
    },
    decode: (...all) => model.decode(...all),
    encode: (...all) => model.encode(...all),
    [Symbol.asyncDispose]: async () => {}
  }
  const pixels = await drawPicture(watched, request, { onStep: step => void steps.push(step) })
  const latents = steps.at(-1)?.state.latents ?? new Float32Array()
  // of a step with guidance the run without the prompt is the first
  return { pixels: pixels.values, steps, latents, embeddings: texts.slice(0, request.guidanceScale > 1 ? 2 : 1) }
}

/** The largest difference, over the largest number. */
function apart(ours: Float32Array | undefined, theirs: Float32Array): number {
  const most = theirs.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
  return theirs.reduce((sum, value, at) => Math.max(sum, Math.abs(value - (ours?.[at] ?? Number.NaN))), 0) / most
}

/** Peak signal over noise, of a peak as high as from black to white. */
function psnr(ours: Float32Array, packed: string): number {
  const theirs = new Float16Array(Uint8Array.from(Buffer.from(packed, 'base64')).buffer)
  const squares = ours.reduce((sum, value, index) => sum + (value - (theirs[index] ?? Number.NaN)) ** 2, 0)
  return 10 * Math.log10(4 / (squares / ours.length))
}

t.test('embeddings and pictures of Kandinsky 2.2 are those of its pipelines, of the same noise', async t => {
  for (const each of golden.cases) {
    const { scheduler, negative, guidance, strength, shown, notShown, latents, pixels } = each
    const named = `${scheduler}, guidance ${guidance}, without "${negative}", from another at ${strength}`
    const ours = await drawn(loaded, requestOf(each))
    t.ok(apart(ours.embeddings.at(-1), floats(shown)) <= APART_MAX, `${named}: what is shown`)
    if (guidance > 1) t.ok(apart(ours.embeddings[0], floats(notShown)) <= APART_MAX, `${named}: what is not`)
    const difference = apart(ours.latents, floats(latents))
    t.ok(difference <= APART_MAX, `${named}: latents ${difference} apart`)
    const decibels = psnr(ours.pixels, pixels)
    t.ok(decibels >= PSNR_MIN, `${named}: ${decibels.toFixed(1)} dB`)
  }
})

t.test('a picture goes on from any step on a model that is loaded elsewhere, bit for bit', async t => {
  const other = await load('node')
  const [each] = golden.cases
  if (each === undefined) throw new Error('there is a case')
  const whole = await drawn(loaded, requestOf(each))
  for (const { state } of whole.steps) {
    const rest = await drawPicture(other.model, requestOf(each), { from: structuredClone(state) })
    t.equal(Buffer.compare(Buffer.from(rest.values.buffer), Buffer.from(whole.pixels.buffer)), 0)
  }
})

t.test('sides that its resolutions do not divide, and prompts of more than its prior reads, are refused', async t => {
  const [each] = golden.cases
  if (each === undefined) throw new Error('there is a case')
  const request = requestOf(each)
  await t.rejects(drawPicture(loaded.model, { ...request, width: width + 2 }), {
    code: 'invalid_request',
    message: /multiples of 4/,
    details: { param: 'size' }
  })
  const twice = (prompt: PictureRequest['prompt']) => prompt.map(chunks => [...chunks, ...chunks])
  const long = { ...request, prompt: twice(request.prompt), negative: twice(request.negative) }
  await t.rejects(drawPicture(loaded.model, long), { code: 'invalid_request', details: { param: 'prompt' } })
})
