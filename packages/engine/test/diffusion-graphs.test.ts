import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import {
  buildDenoiserGraph,
  buildPictureDecoderGraph,
  buildPictureEncoderGraph,
  buildTextEncoderGraph,
  type GraphInit
} from '@resultity/diffusion-model'
import { decodeFloats, openSafetensorsFiles } from '@resultity/formats'
import { type DiffusionManifest, requireDiffusion, weightFiles } from '@resultity/interface'
import { convertModel, FileBlobStore } from '@resultity/model'
import { processTuning } from '@resultity/runtime-tuning'
import { Tensor } from 'onnxruntime-node'
import t, { type Test } from 'tap'
import { createNodeSession } from '../src/node/node-runtime.ts'
import { cosineOf } from './cosine.ts'

const fixtures = join(import.meta.dirname, '../../../diffusion-model/test/fixtures')

/** Made by scripts/reference-diffusion.py. */
interface Reference {
  /** Of each text encoder, one chunk. */
  readonly tokens: readonly (readonly number[])[]
  readonly timestep: number
  readonly figures: ReadonlyMap<string, Float32Array>
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
  return { tokens, timestep, figures }
}

interface Converted {
  readonly manifest: DiffusionManifest
  readonly folder: string
  init(watched?: readonly string[]): GraphInit
}

async function convert(t: Test, name: string, dequantize = false): Promise<Converted> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'diffusion-graphs-')))
  const store = await FileBlobStore.open(join(directory, 'blobs'))
  t.teardown(async () => {
    await store[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })
  const converted = await convertModel(join(fixtures, name), { store, name, dequantize })
  const manifest = requireDiffusion(converted.manifest)
  const paths = new Map<string, string>()
  for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
  const [first = ''] = paths.values()
  return {
    manifest,
    folder: dirname(first),
    init: (watched = []) => ({ manifest, watched, weightLocation: file => basename(paths.get(file.sha256) ?? '') })
  }
}

type Feeds = Readonly<Record<string, Tensor>>

async function run(bytes: Uint8Array, { folder }: Converted, feeds: Feeds): Promise<ReadonlyMap<string, Float32Array>> {
  const session = await createNodeSession(
    { graph: { bytes }, folder },
    { threads: 1, spinning: false },
    processTuning(false)
  )
  const results = await session.run(feeds)
  await session.release()
  return new Map(
    Object.entries(results).map(([name, { data }]) => {
      if (data instanceof Float32Array) return [name, data] as const
      throw new Error(`"${name}" is no f32`)
    })
  )
}

const floats = (data: Float32Array, dims: readonly number[]): Tensor => new Tensor('float32', data, dims)

/** Within so much of the largest number. */
const ERROR_MAX = 2e-5

class Comparison {
  readonly #t: Test
  readonly #reference: Reference
  readonly compared = new Set<string>()

  constructor(t: Test, reference: Reference) {
    this.#t = t
    this.#reference = reference
  }

  wanted(name: string): Float32Array {
    const figure = this.#reference.figures.get(name)
    if (figure === undefined) throw new Error(`the reference has no "${name}"`)
    return figure
  }

  same(name: string, found: Float32Array | undefined): void {
    const wanted = this.wanted(name)
    this.compared.add(name)
    this.#t.equal(found?.length, wanted.length, name)
    if (found === undefined) return
    const largest = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
    const error = found.reduce((most, x, at) => Math.max(most, Math.abs(x - (wanted[at] ?? Number.NaN))), 0)
    this.#t.ok(cosineOf(found, wanted) >= 0.999999, `${name}: cosine ${cosineOf(found, wanted)}`)
    this.#t.ok(error / largest < ERROR_MAX, `${name}: off by ${error} of ${largest}`)
  }
}

/** Our path of a block that the reference names as diffusers does. */
function pathOf(name: string): string {
  return name
    .replace(/(down|up)_blocks/, '$1')
    .replace('mid_block', 'middle')
    .replace('resnets', 'block')
    .replace('attentions', 'attend')
    .replace(/\.downsamplers\.0$/, '.half_out')
    .replace(/\.upsamplers\.0$/, '.double_out')
}

/** The reference's blocks of a component, by their paths in ours. */
function blocksOf({ figures }: Reference, prefix: string): Map<string, string> {
  const blocks = [...figures.keys()].filter(name => name.startsWith(prefix) && name.includes('_block'))
  return new Map(blocks.map(name => [pathOf(name.slice(prefix.length)), name]))
}

/** What both text encoders say of the prompt: states side by side, and the vector of the whole. */
async function encodeText(converted: Converted, reference: Reference, comparison: Comparison) {
  const { textEncoders } = converted.manifest.config
  const parts: Float32Array[] = []
  let pooled: Float32Array | undefined
  for (const [index, { length }] of textEncoders.entries()) {
    const graph = buildTextEncoderGraph(converted.init(), index)
    const tokens = new Tensor('int32', Int32Array.from(reference.tokens[index] ?? []), [1, length])
    const results = await run(graph.bytes, converted, { [graph.tokens]: tokens })
    comparison.same(`text.${index}.states`, results.get(graph.states))
    parts.push(results.get(graph.states) ?? new Float32Array())
    pooled = graph.pooled === undefined ? pooled : results.get(graph.pooled)
  }
  if (pooled !== undefined) comparison.same('text.pooled', pooled)
  const length = textEncoders[0]?.length ?? 0
  const sizes = textEncoders.map(({ hiddenSize }) => hiddenSize)
  const rows = Array.from({ length }, (_, row) =>
    parts.map((part, index) => [...part.subarray(row * (sizes[index] ?? 0), (row + 1) * (sizes[index] ?? 0))])
  )
  return { states: Float32Array.from(rows.flat(2)), length, pooled }
}

for (const name of ['tiny-sd', 'tiny-sd2', 'tiny-xl']) {
  t.test(`${name}: every block gives what diffusers gives`, async t => {
    const converted = await convert(t, name)
    const reference = await referenceOf(name)
    const comparison = new Comparison(t, reference)
    const { denoiser, coder } = converted.manifest.config
    const wanted = (figure: string, dims: readonly number[]): Tensor => floats(comparison.wanted(figure), dims)

    const text = await encodeText(converted, reference, comparison)
    const blocks = blocksOf(reference, 'unet.')
    const unet = buildDenoiserGraph(converted.init([...blocks.keys()]))
    const feeds: Record<string, Tensor> = {
      [unet.latents]: wanted('unet.latents', [1, denoiser.inChannels, 7, 5]),
      [unet.timestep]: floats(Float32Array.of(reference.timestep), [1]),
      [unet.text]: floats(text.states, [text.length, denoiser.contextSize])
    }
    if (unet.addition !== undefined) {
      feeds[unet.addition.pooled] = floats(text.pooled ?? new Float32Array(), [1, denoiser.addition?.pooledSize ?? 0])
      feeds[unet.addition.timeIds] = wanted('unet.time_ids', [6])
    }
    const predicted = await run(unet.bytes, converted, feeds)
    for (const [path, figure] of blocks) comparison.same(figure, predicted.get(path))
    comparison.same('unet.prediction', predicted.get(unet.prediction))

    const up = blocksOf(reference, 'vae.decoder.')
    const decoder = buildPictureDecoderGraph(converted.init([...up.keys()]))
    const latents = wanted('vae.latents', [1, coder.latentChannels, 3, 5])
    const decoded = await run(decoder.bytes, converted, { [decoder.latents]: latents })
    for (const [path, figure] of up) comparison.same(figure, decoded.get(path))
    comparison.same('vae.pixels', decoded.get(decoder.pixels))

    const down = blocksOf(reference, 'vae.encoder.')
    const encoder = buildPictureEncoderGraph(converted.init([...down.keys()]))
    const encoded = await run(encoder.bytes, converted, { [encoder.pixels]: wanted('vae.picture', [1, 3, 24, 20]) })
    for (const [path, figure] of down) comparison.same(figure, encoded.get(path))
    comparison.same('vae.mean', encoded.get(encoder.mean))
    comparison.same('vae.log_variance', encoded.get(encoder.logVariance))

    const inputs = new Set(['unet.latents', 'unet.time_ids', 'vae.latents', 'vae.picture'])
    const left = [...reference.figures.keys()].filter(figure => !comparison.compared.has(figure) && !inputs.has(figure))
    t.same(left, [], 'nothing that the reference has is left out')
  })
}
