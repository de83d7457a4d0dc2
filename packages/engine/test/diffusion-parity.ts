import { cp, mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import {
  buildDenoiserGraph,
  buildPictureDecoderGraph,
  buildPictureEncoderGraph,
  buildTextEncoderGraph,
  type GraphInit
} from '@resultity/diffusion-model'
import { decodeFloats, openSafetensorsFiles } from '@resultity/formats'
import { type DiffusionManifest, requireDiffusion, weightFiles } from '@resultity/interface'
import { convertModel } from '@resultity/model'
import { processTuning } from '@resultity/runtime-tuning'
import { Tensor } from 'onnxruntime-node'
import { createNodeSession } from '../src/node/node-runtime.ts'
import { cosineOf } from './cosine.ts'
import { markdownTable } from './markdown-table.ts'
import { comparePrior } from './prior-parity.ts'

const fixtures = join(import.meta.dirname, '../../../diffusion-model/test/fixtures')

/** A system, and the tiny model of its architecture that scripts/reference-diffusion.py makes. */
export interface DiffusionSystem {
  readonly system: string
  readonly model: string
  /** Of which other model it has all files but its own. */
  readonly over?: string
}

export const diffusionSystems: readonly DiffusionSystem[] = [
  { system: 'Stable Diffusion 1.5', model: 'tiny-sd' },
  { system: 'Stable Diffusion 1.5 inpainting', model: 'tiny-inpaint', over: 'tiny-sd' },
  { system: 'BK-SDM small and tiny', model: 'tiny-small', over: 'tiny-sd' },
  { system: 'Stable Diffusion 2.1, Turbo', model: 'tiny-sd2' },
  { system: 'Stable Diffusion XL, Turbo, Playground v2', model: 'tiny-xl' },
  { system: 'Playground v2.5', model: 'tiny-playground', over: 'tiny-xl' },
  { system: 'Kandinsky 2.2', model: 'tiny-kandinsky' }
]

/** What one edge has, beside the reference's. */
export interface ComparedFigure {
  readonly name: string
  readonly cosine: number
  /** The largest difference, over the largest number. */
  readonly error: number
}

export interface DiffusionParity extends DiffusionSystem {
  readonly figures: readonly ComparedFigure[]
  /** What the reference has and nothing was compared with. */
  readonly left: readonly string[]
}

/** Rounding alone: f32 has seven digits, and sums are long. */
const ERROR_MAX = 2e-5
const COSINE_MIN = 0.999999

/** Whether all that the reference has is there, and is the same. */
export function isSamePicture({ figures, left }: DiffusionParity): boolean {
  return (
    left.length === 0 &&
    figures.length > 0 &&
    figures.every(({ cosine, error }) => cosine >= COSINE_MIN && error < ERROR_MAX)
  )
}

/** Imports a tiny model, and runs each of its graphs on what the reference's had. */
export async function measureDiffusion(system: DiffusionSystem): Promise<DiffusionParity> {
  await using model = await TinyModel.open(system)
  const comparison = new Comparison(await referenceOf(system.model))
  const text = await compareText(model, comparison)
  await comparePrior(model, comparison, text)
  await compareDenoiser(model, comparison, text)
  await compareCoder(model, comparison)
  return { ...system, figures: comparison.figures, left: comparison.left }
}

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

/** Figures that go in, and do not come out. */
const INPUTS: ReadonlySet<string> = new Set([
  'unet.latents',
  'unet.time_ids',
  'unet.shown',
  'vae.latents',
  'vae.picture',
  'sight.pixels',
  'prior.noisy'
])

export class Comparison {
  readonly reference: Reference
  readonly figures: ComparedFigure[] = []

  constructor(reference: Reference) {
    this.reference = reference
  }

  get left(): string[] {
    const compared = new Set(this.figures.map(({ name }) => name))
    return [...this.reference.figures.keys()].filter(name => !compared.has(name) && !INPUTS.has(name))
  }

  has(name: string): boolean {
    return this.reference.figures.has(name)
  }

  wanted(name: string): Float32Array {
    const figure = this.reference.figures.get(name)
    if (figure === undefined) throw new Error(`the reference has no "${name}"`)
    return figure
  }

  compare(name: string, found: Float32Array | undefined): void {
    const wanted = this.wanted(name)
    if (found?.length !== wanted.length) throw new Error(`${name}: ${found?.length} numbers, not ${wanted.length}`)
    const largest = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
    const error = found.reduce((most, x, at) => Math.max(most, Math.abs(x - (wanted[at] ?? Number.NaN))), 0)
    this.figures.push({ name, cosine: cosineOf(found, wanted), error: error / largest })
  }

  /** The reference's blocks of a component, by their paths in our graphs. */
  blocks(prefix: string): Map<string, string> {
    const names = [...this.reference.figures.keys()].filter(name => name.startsWith(prefix) && name.includes('_block'))
    return new Map(names.map(name => [pathOf(name.slice(prefix.length)), name]))
  }
}

function pathOf(name: string): string {
  return name
    .replace(/(down|up)_blocks/, '$1')
    .replace('mid_block', 'middle')
    .replace('resnets', 'block')
    .replace('attentions', 'attend')
    .replace(/\.downsamplers\.0$/, '.half_out')
    .replace(/\.upsamplers\.0$/, '.double_out')
}

/** Of a denoiser whose resolution residual blocks change. */
const inBlock = (path: string): string => path.replace(/\.(half|double)_out$/, '.$1')

type Feeds = Readonly<Record<string, Tensor>>

/** An imported model, and its graphs on onnxruntime-node. */
export class TinyModel implements AsyncDisposable {
  readonly manifest: DiffusionManifest
  readonly #folder: string
  readonly #paths: ReadonlyMap<string, string>
  readonly #disposal: AsyncDisposableStack

  private constructor(
    manifest: DiffusionManifest,
    folder: string,
    paths: ReadonlyMap<string, string>,
    disposal: AsyncDisposableStack
  ) {
    this.manifest = manifest
    this.#folder = folder
    this.#paths = paths
    this.#disposal = disposal
  }

  static async open({ model, over }: DiffusionSystem): Promise<TinyModel> {
    await using opening = new AsyncDisposableStack()
    const directory = await realpath(await mkdtemp(join(tmpdir(), 'diffusion-parity-')))
    opening.defer(() => rm(directory, { recursive: true, force: true }))
    const folder = join(directory, model)
    for (const name of over === undefined ? [model] : [over, model]) {
      await cp(join(fixtures, name), folder, { recursive: true })
    }
    const store = opening.use(await FileBlobStore.open(join(directory, 'blobs')))
    const manifest = requireDiffusion((await convertModel(folder, { store, name: model })).manifest)
    const paths = new Map<string, string>()
    for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
    const [first = ''] = paths.values()
    return new TinyModel(manifest, dirname(first), paths, opening.move())
  }

  init(watched: readonly string[] = []): GraphInit {
    const weightLocation: GraphInit['weightLocation'] = ({ sha256 }) => basename(this.#paths.get(sha256) ?? '')
    return { manifest: this.manifest, watched, weightLocation }
  }

  async run(bytes: Uint8Array, feeds: Feeds): Promise<ReadonlyMap<string, Float32Array>> {
    const source = { graph: { bytes }, folder: this.#folder }
    const session = await createNodeSession(source, { threads: 1, spinning: false }, processTuning(false))
    const results = await session.run(feeds)
    await session.release()
    return new Map(
      Object.entries(results).map(([name, { data }]) => {
        if (data instanceof Float32Array) return [name, data] as const
        throw new Error(`"${name}" is no f32`)
      })
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#disposal.disposeAsync()
  }
}

export const floats = (data: Float32Array, dims: readonly number[]): Tensor => new Tensor('float32', data, dims)

export interface EncodedText {
  readonly states: Float32Array
  readonly length: number
  readonly pooled: Float32Array | undefined
}

/** What the text encoders say of the prompt: states side by side, and the vector of the whole. */
async function compareText(model: TinyModel, comparison: Comparison): Promise<EncodedText> {
  const { textEncoders } = model.manifest.config
  const parts: { readonly states: Float32Array; readonly size: number }[] = []
  let pooled: Float32Array | undefined
  for (const [index, { length, hiddenSize }] of textEncoders.entries()) {
    const graph = buildTextEncoderGraph(model.init(), index)
    const tokens = new Tensor('int32', Int32Array.from(comparison.reference.tokens[index] ?? []), [1, length])
    const results = await model.run(graph.bytes, { [graph.tokens]: tokens })
    const states = results.get(graph.states) ?? new Float32Array()
    if (comparison.has(`text.${index}.states`)) comparison.compare(`text.${index}.states`, states)
    parts.push({ states, size: hiddenSize })
    pooled = graph.pooled === undefined ? pooled : results.get(graph.pooled)
  }
  if (comparison.has('text.pooled')) comparison.compare('text.pooled', pooled)
  const length = textEncoders[0]?.length ?? 0
  const rows = Array.from({ length }, (_, row) =>
    parts.map(({ states, size }) => [...states.subarray(row * size, (row + 1) * size)])
  )
  return { states: Float32Array.from(rows.flat(2)), length, pooled }
}

async function compareDenoiser(model: TinyModel, comparison: Comparison, text: EncodedText): Promise<void> {
  if (!comparison.has('unet.prediction')) return
  const { denoiser } = model.manifest.config
  const draws = denoiser.embedding !== undefined
  const blocks = new Map([...comparison.blocks('unet.')].map(([path, name]) => [draws ? inBlock(path) : path, name]))
  const graph = buildDenoiserGraph(model.init([...blocks.keys()]))
  const told = draws ? { states: comparison.wanted('unet.shown'), length: 1 } : text
  const feeds: Record<string, Tensor> = {
    [graph.latents]: floats(comparison.wanted('unet.latents'), [1, denoiser.inChannels, ...(draws ? [6, 4] : [7, 5])]),
    [graph.timestep]: floats(Float32Array.of(comparison.reference.timestep), [1]),
    [graph.text]: floats(told.states, [told.length, denoiser.contextSize])
  }
  if (graph.addition !== undefined) {
    feeds[graph.addition.pooled] = floats(text.pooled ?? new Float32Array(), [1, denoiser.addition?.pooledSize ?? 0])
    feeds[graph.addition.timeIds] = floats(comparison.wanted('unet.time_ids'), [6])
  }
  const results = await model.run(graph.bytes, feeds)
  for (const [path, name] of blocks) comparison.compare(name, results.get(path))
  comparison.compare('unet.prediction', results.get(graph.prediction))
}

async function compareCoder(model: TinyModel, comparison: Comparison): Promise<void> {
  if (comparison.has('vae.pixels')) {
    const up = comparison.blocks('vae.decoder.')
    const decoder = buildPictureDecoderGraph(model.init([...up.keys()]))
    const latents = floats(comparison.wanted('vae.latents'), [1, model.manifest.config.coder.latentChannels, 3, 5])
    const results = await model.run(decoder.bytes, { [decoder.latents]: latents })
    for (const [path, name] of up) comparison.compare(name, results.get(path))
    comparison.compare('vae.pixels', results.get(decoder.pixels))
  }
  if (comparison.has('vae.mean')) {
    const down = comparison.blocks('vae.encoder.')
    const encoder = buildPictureEncoderGraph(model.init([...down.keys()]))
    const sides = encoder.logVariance === undefined ? [8, 6] : [24, 20]
    const picture = floats(comparison.wanted('vae.picture'), [1, 3, ...sides])
    const results = await model.run(encoder.bytes, { [encoder.pixels]: picture })
    for (const [path, name] of down) comparison.compare(name, results.get(path))
    comparison.compare('vae.mean', results.get(encoder.mean))
    if (encoder.logVariance !== undefined) {
      comparison.compare('vae.log_variance', results.get(encoder.logVariance))
    }
  }
}

const HEADER = ['system', 'diffusers', 'weights', 'figures', 'cosine', 'off by', ''] as const

/** A table in Markdown, a row for each system. */
export function systemsTable(rows: readonly DiffusionParity[]): string {
  return markdownTable(HEADER, rows.map(cellsOf))
}

function cellsOf(parity: DiffusionParity): string[] {
  const cosine = Math.min(...parity.figures.map(figure => figure.cosine))
  return [
    parity.system,
    '0.29.2',
    'tiny, random',
    String(parity.figures.length),
    // rounded down to six digits: processors differ in the seventh
    `≥ ${(Math.floor(cosine * 1e6) / 1e6).toFixed(6)}`,
    `< ${ERROR_MAX}`,
    isSamePicture(parity) ? 'green' : 'red'
  ]
}
