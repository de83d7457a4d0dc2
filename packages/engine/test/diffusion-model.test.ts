import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { decodeFloats, openSafetensorsFiles } from '@resultity/formats'
import {
  type DenoiseInput,
  type DiffusionModel,
  latentScale,
  MeshError,
  requireDiffusion,
  weightFiles
} from '@resultity/interface'
import { convertModel } from '@resultity/model'
import t, { type Test } from 'tap'
import { createEngine, type DiffusionInit, type EngineKind, measureDiffusion } from '../src/index.ts'
import { cosineOf } from './cosine.ts'

const fixtures = join(import.meta.dirname, '../../../diffusion-model/test/fixtures')
const kinds = ['capi', 'node'] as const

/** Made by scripts/reference-diffusion.py. */
interface Reference {
  readonly tokens: readonly (readonly number[])[]
  readonly timestep: number
  figure(name: string): Float32Array
}

async function referenceOf(name: string): Promise<Reference> {
  const { tokens, timestep } = JSON.parse(await readFile(join(fixtures, `${name}.json`), 'utf8'))
  const { tensors, dispose } = openSafetensorsFiles([join(fixtures, `${name}.safetensors`)])
  const figures = new Map<string, Float32Array>()
  for (const tensorName of tensors.names) {
    const tensor = tensors.get(tensorName)
    if (tensor !== undefined) figures.set(tensorName, decodeFloats('F32', tensor.read(0, tensor.rows)))
  }
  dispose()
  const figure = (wanted: string): Float32Array => {
    const found = figures.get(wanted)
    if (found === undefined) throw new Error(`the reference has no "${wanted}"`)
    return found
  }
  return { tokens, timestep, figure }
}

/** Converted once for all tests. */
const inits = new Map<string, Promise<DiffusionInit>>()

function initOf(name: string): Promise<DiffusionInit> {
  const init = inits.get(name) ?? convert(name)
  inits.set(name, init)
  return init
}

async function convert(name: string): Promise<DiffusionInit> {
  const workDir = await realpath(await mkdtemp(join(tmpdir(), 'diffusion-model-')))
  const store = await FileBlobStore.open(join(workDir, 'blobs'))
  t.teardown(async () => {
    await store[Symbol.asyncDispose]()
    await rm(workDir, { recursive: true, force: true })
  })
  const manifest = requireDiffusion((await convertModel(join(fixtures, name), { store, name })).manifest)
  const paths = new Map<string, string>()
  for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
  return { manifest, threads: 1, spinning: false, workDir, weightPath: ({ sha256 }) => paths.get(sha256) ?? '' }
}

async function load(t: Test, kind: EngineKind, init: DiffusionInit): Promise<DiffusionModel> {
  const model = await (await createEngine(kind)).loadDiffusion(init)
  t.teardown(() => model[Symbol.asyncDispose]())
  return model
}

const chunksOf = ({ tokens }: Reference): Uint32Array[][] => tokens.map(chunk => [Uint32Array.from(chunk)])

/** A call of the denoiser with `side` rows and columns of latents, all of them the same number. */
async function inputOf(model: DiffusionModel, reference: Reference, side: number): Promise<DenoiseInput> {
  const { inChannels: channels, addition } = model.config.denoiser
  const values = new Float32Array(channels * side * side).fill(0.5)
  const text = await model.encodeText(chunksOf(reference))
  const timeIds = addition === undefined ? [] : [8, 8, 0, 0, 8, 8]
  return { latents: { channels, height: side, width: side, values }, timestep: 500, text, timeIds }
}

function same(t: Test, found: Float32Array, wanted: Float32Array, what: string): void {
  const largest = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
  const error = found.reduce((most, x, at) => Math.max(most, Math.abs(x - (wanted[at] ?? Number.NaN))), 0)
  t.equal(found.length, wanted.length, what)
  t.ok(cosineOf(found, wanted) >= 0.999999 && error / largest < 2e-5, `${what}: off by ${error} of ${largest}`)
}

for (const name of ['tiny-sd2', 'tiny-xl']) {
  t.test(`${name} computes what diffusers does on both runtimes, and the same bits`, async t => {
    const init = await initOf(name)
    const reference = await referenceOf(name)
    const results: Float32Array[][] = []
    for (const kind of kinds) {
      const model = await load(t, kind, init)
      const { denoiser, coder } = model.config
      const text = await model.encodeText(chunksOf(reference))
      const [width = 0] = model.config.textEncoders.map(({ hiddenSize }) => hiddenSize)
      const rows = Float32Array.from({ length: text.length * width }, (_, at) => {
        return text.states[Math.floor(at / width) * text.size + (at % width)] ?? 0
      })
      same(t, rows, reference.figure('text.0.states'), 'states of the first encoder')
      if (text.pooled.length > 0) same(t, text.pooled, reference.figure('text.pooled'), 'the vector of all')
      const latents = { channels: denoiser.inChannels, height: 7, width: 5, values: reference.figure('unet.latents') }
      const timeIds = denoiser.addition === undefined ? [] : [...reference.figure('unet.time_ids')]
      const prediction = await model.denoise({ latents, timestep: reference.timestep, text, timeIds })
      same(t, prediction, reference.figure('unet.prediction'), 'prediction')
      const values = reference.figure('vae.latents')
      const pixels = await model.decode({ channels: coder.latentChannels, height: 3, width: 5, values })
      same(t, pixels.values, reference.figure('vae.pixels'), 'pixels')
      const picture = { height: 24, width: 20, values: reference.figure('vae.picture') }
      const { mean, logVariance = new Float32Array() } = await model.encode(picture)
      same(t, mean.values, reference.figure('vae.mean'), 'mean')
      same(t, logVariance, reference.figure('vae.log_variance'), 'log variance')
      results.push([text.states, prediction, pixels.values, mean.values, logVariance])
    }
    t.strictSame(results[0], results[1])
  })
}

t.test('a prompt of two chunks is each of them, one behind the other', async t => {
  const reference = await referenceOf('tiny-xl')
  const model = await load(t, 'capi', await initOf('tiny-xl'))
  const first = chunksOf(reference)
  const second = first.map(chunks => chunks.map(chunk => chunk.toReversed()))
  const [one, other] = [await model.encodeText(first), await model.encodeText(second)]
  const both = await model.encodeText(first.map((chunks, index) => [...chunks, ...(second[index] ?? [])]))
  t.equal(both.length, one.length + other.length)
  t.strictSame(both.states, Float32Array.of(...one.states, ...other.states))
  t.strictSame(both.pooled, one.pooled, 'the vector of all is that of the first')
})

for (const kind of kinds) {
  t.test(`${kind}: inputs are checked, and what is over is over`, async t => {
    const init = await initOf('tiny-sd')
    const reference = await referenceOf('tiny-sd')
    const model = await load(t, kind, init)
    const input = await inputOf(model, reference, 8)
    const { latents, text } = input
    const chunks = chunksOf(reference)
    const wrong: [string, () => Promise<unknown>, string][] = [
      ['no encoder', () => model.encodeText([]), 'prompt'],
      ['no chunk', () => model.encodeText([[]]), 'prompt'],
      [
        'too many',
        () => model.encodeText([Array.from({ length: 17 }, () => chunks[0]?.[0] ?? Uint32Array.of())]),
        'prompt'
      ],
      ['a short chunk', () => model.encodeText([[Uint32Array.of(1, 2)]]), 'prompt'],
      ['no such token', () => model.encodeText([[new Uint32Array(77).fill(4_000_000_000)]]), 'prompt'],
      ['other channels', () => model.denoise({ ...input, latents: { ...latents, channels: 5 } }), 'latents'],
      ['too few values', () => model.denoise({ ...input, latents: { ...latents, height: 9 } }), 'latents'],
      [
        'a height of half a row',
        () => model.denoise({ ...input, latents: { ...latents, height: 0.5, width: 128 } }),
        'latents'
      ],
      [
        'no number',
        () => model.denoise({ ...input, latents: { ...latents, values: latents.values.map(() => Number.NaN) } }),
        'latents'
      ],
      ['no time', () => model.denoise({ ...input, timestep: Number.NaN }), 'timestep'],
      ['another text', () => model.denoise({ ...input, text: { ...text, length: 1 } }), 'text'],
      ['a vector too many', () => model.denoise({ ...input, text: { ...text, pooled: Float32Array.of(1) } }), 'text'],
      ['time ids too many', () => model.denoise({ ...input, timeIds: [1] }), 'timeIds'],
      ['half a latent', () => model.encode({ height: 2, width: 4, values: new Float32Array(24) }), 'pixels'],
      ['too few pixels', () => model.encode({ height: 8, width: 8, values: new Float32Array(191) }), 'pixels']
    ]
    for (const [what, call, param] of wrong) {
      await t.rejects(call(), { code: 'invalid_request', details: { param } }, what)
    }
    const large = { channels: 4, height: 33, width: 32, values: new Float32Array(4 * 33 * 32) }
    await t.rejects(model.decode(large), { code: 'resource_exhausted' })

    const reason = new MeshError('canceled', 'enough')
    await t.rejects(model.denoise(input, { signal: AbortSignal.abort(reason) }), reason)
    const stop = new AbortController()
    const long = model.denoise(await inputOf(model, reference, 32), { signal: stop.signal })
    const queued = model.denoise(input, { signal: stop.signal })
    setImmediate(() => stop.abort(reason))
    await Promise.all([t.rejects(long, reason), t.rejects(queued, reason)])
    const [one, other] = await Promise.all([model.denoise(input), model.denoise(input, { workClass: 'batch' })])
    t.strictSame(one, other, 'and the next are as if nothing had been')

    const last = model.decode({ channels: 4, height: 8, width: 8, values: new Float32Array(256) })
    await Promise.all([t.rejects(last, { code: 'unavailable' }), model[Symbol.asyncDispose]()])
    await t.rejects(model.denoise(input), { code: 'unavailable' })
    await model[Symbol.asyncDispose]()
  })
}

t.test('measuring runs all that makes a picture', async t => {
  const model = await load(t, 'capi', await initOf('tiny-xl'))
  const { msPerPosition, digest } = await measureDiffusion(model)
  t.ok(msPerPosition > 0)
  t.equal((await measureDiffusion(model)).digest, digest, 'its digest is always the same')
  t.equal(latentScale(model.config), 4)
})

t.test('weights that are not there, or give no numbers, are told of', async t => {
  const init = await initOf('tiny-sd')
  const engine = await createEngine('capi')
  await t.rejects(engine.loadDiffusion({ ...init, weightPath: () => '/nowhere' }), { code: 'engine_failed' })
  const reason = new MeshError('canceled', 'enough')
  await t.rejects(engine.loadDiffusion(init, { signal: AbortSignal.abort(reason) }), reason)
  const { manifest } = init
  const { coder } = manifest.config
  // so small that what it divides has no end in f32
  const config = { ...manifest.config, coder: { ...coder, scalingFactor: 1e-44 } }
  const model = await load(t, 'capi', { ...init, manifest: { ...manifest, config } })
  const latents = { channels: 4, height: 4, width: 4, values: new Float32Array(64).fill(3) }
  await t.rejects(model.decode(latents), { code: 'engine_failed', details: { part: 'decoder' } })
})
