import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { type DecoderManifest, type Quantize, requireDecoder, type WeightFile, weightFiles } from '@resultity/interface'
import { convertModel } from '@resultity/model'
import { argmax } from '@resultity/sampling'
import type { Engine } from '../src/index.ts'
import { cosineOf } from './cosine.ts'
import { type FamilyModel, readFamilyModel, writeFamilyGguf, writeFolder } from './family-model.ts'
import { Pipeline, type PipelineSession } from './tiny-chat.ts'

/** Least cosine with the reference's logits, at every position. */
export const COSINE_MIN = 0.9995
/**
 * Of weights of 8 bits, whose products round the activations to 8 bits too: at every position, and of a model with experts at
 * three of four, for where two experts are nearly as good, rounding takes the other.
 */
export const QUANTIZED_COSINE_MIN = 0.98
/**
 * Of weights that an import rounds, half of all positions have a cosine with those of 32 bits of so much or more, as was measured; the
 * products round the activations to 8 bits, too. With experts it is less: where two are nearly as good, rounding takes the other.
 */
const ROUNDED_MEDIAN_MIN = { q8: 0.998, q4: 0.9 } as const
const ROUNDED_EXPERTS_MEDIAN_MIN = { q8: 0.99, q4: 0.85 } as const
/** Where the reference's two best logits are farther apart, the best must be ours too. */
const GAP = 0.1
/** The tests write no tokenizer: the ids of a prompt are given. */
const tokenizerFiles = { definition: new Uint8Array([1]), config: new Uint8Array([2]), endTokenIds: [1] }

/** How a model here compares with its reference. */
export interface Parity {
  readonly model: string
  /** `model_type` of its configuration. */
  readonly family: string
  /** Version of transformers. */
  readonly reference: string
  readonly weights: string
  /** Compared, in all prompts and ways of cutting them into chunks. */
  readonly positions: number
  /** The least of all positions. */
  readonly cosine: number
  /** Where the best token is another one though the reference's gap is wide. */
  readonly wrong: readonly string[]
  /** Ways of cutting the model that were tried, and those of them that gave other bits. */
  readonly cuts: number
  readonly otherBits: readonly string[]
  /** What `--quantize` makes of it; undefined where the source is in blocks already. */
  readonly rounded?: { readonly q8: RoundedParity; readonly q4: RoundedParity }
  /** Undefined where llama.cpp does not have the family, or the source is a GGUF itself. */
  readonly gguf?: GgufParity
}

export interface RoundedParity {
  /** With the same model in 32 bits, at the position in the middle of all. */
  readonly medianCosine: number
  /** What it has to be. */
  readonly medianMin: number
  /** Of the weight files, of those in 32 bits. */
  readonly share: number
}

export interface GgufParity {
  /** What differs from the model of safetensors: nothing. */
  readonly differences: readonly string[]
  /** Of the same model in Q8_0, as {@link QUANTIZED_COSINE_MIN} says, and whether it has the same bits where it is cut. */
  readonly quantizedCosine: number
  readonly quantizedSameBits: boolean
}

/** True where everything is as it has to be. */
export function isGreen({ cosine, wrong, otherBits, rounded, gguf }: Parity): boolean {
  if (!(cosine >= COSINE_MIN) || wrong.length + otherBits.length > 0) return false
  for (const kind of ['q8', 'q4'] as const) {
    if (rounded !== undefined && !(rounded[kind].medianCosine >= rounded[kind].medianMin)) return false
  }
  if (gguf === undefined) return true
  return gguf.differences.length === 0 && gguf.quantizedCosine >= QUANTIZED_COSINE_MIN && gguf.quantizedSameBits
}

/** Compares a tiny model of a family, by the name of its facts, with the logits of transformers. */
export async function measureFamily(engine: Engine, name: string): Promise<Parity> {
  const model = await readFamilyModel(name)
  const directory = await mkdtemp(join(tmpdir(), 'families-'))
  try {
    const converter = new Converter(directory)
    const converted = await converter.convert(await writeFolder(model, join(directory, 'folder')))
    return {
      model: name,
      family: String(model.config.model_type),
      reference: model.transformers,
      weights: 'tiny, random',
      ...(await compareLogits(engine, model, converted)),
      ...(await compareCuts(engine, model, converted)),
      rounded: {
        q8: await compareRounded(engine, model, converter, converted, 'q8'),
        q4: await compareRounded(engine, model, converter, converted, 'q4')
      },
      ...(model.gguf === undefined ? {} : { gguf: await compareGguf(engine, model, converter, converted) })
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function compareLogits(engine: Engine, model: FamilyModel, { manifest, init }: Converted) {
  let cosine = 1
  let positions = 0
  const wrong: string[] = []
  for (const [index, prompt] of model.prompts.entries()) {
    for (const chunk of [prompt.length, 7, 1]) {
      // a context as long as the prompt: longrope has factors for short ones
      const found = await logitsOf(engine, init, prompt, { chunk, ends: [manifest.config.layerCount] })
      const compared = compare(found, model.logits[index] ?? new Float32Array(0), manifest.config.vocabularySize)
      cosine = Math.min(cosine, ...compared.cosines)
      positions += prompt.length
      wrong.push(...compared.wrong.map(position => `prompt ${index} in chunks of ${chunk}, ${position}`))
    }
  }
  return { cosine, positions, wrong }
}

async function compareCuts(engine: Engine, model: FamilyModel, { manifest, init }: Converted) {
  const [prompt = []] = model.prompts
  const { layerCount } = manifest.config
  const alone = await logitsOf(engine, init, prompt, { chunk: 5, ends: [layerCount] })
  const each = Array.from({ length: layerCount }, (_, layer) => layer + 1)
  const ways = [...each.slice(0, -1).map(end => [end, layerCount]), each]
  const otherBits: string[] = []
  for (const ends of ways) {
    if (!sameBits(await logitsOf(engine, init, prompt, { chunk: 5, ends }), alone)) otherBits.push(`cut at ${ends}`)
  }
  return { cuts: ways.length, otherBits }
}

async function compareRounded(
  engine: Engine,
  model: FamilyModel,
  converter: Converter,
  plain: Converted,
  quantize: 'q8' | 'q4'
): Promise<RoundedParity> {
  const rounded = await converter.convert(join(converter.directory, 'folder'), quantize)
  const { layerCount, vocabularySize } = plain.manifest.config
  const [prompt = []] = model.prompts
  const ways = { chunk: prompt.length, ends: [layerCount] }
  const found = await logitsOf(engine, rounded.init, prompt, ways)
  const wanted = await logitsOf(engine, plain.init, prompt, ways)
  const cosines = compare(found, wanted, vocabularySize).cosines.toSorted((a, b) => a - b)
  const bytes = ({ manifest }: Converted): number =>
    weightFiles(manifest).reduce(
      (sum, { tensors }) =>
        sum +
        tensors.reduce((all, tensor) => all + tensor.data.bytes + ('scales' in tensor ? tensor.scales.bytes : 0), 0),
      0
    )
  const least = plain.manifest.config.traits?.experts === undefined ? ROUNDED_MEDIAN_MIN : ROUNDED_EXPERTS_MEDIAN_MIN
  return {
    medianCosine: cosines[cosines.length >> 1] ?? 0,
    medianMin: least[quantize],
    share: bytes(rounded) / bytes(plain)
  }
}

async function compareGguf(
  engine: Engine,
  model: FamilyModel,
  converter: Converter,
  { manifest }: Converted
): Promise<GgufParity> {
  const twin = await converter.convert(await writeFamilyGguf(model, join(converter.directory, 'model.gguf')))
  const differences: string[] = []
  if (rounded(twin.manifest.config) !== rounded(manifest.config)) differences.push('the configuration')
  if (hashesOf(twin.manifest) !== hashesOf(manifest)) differences.push('the weight files')
  const path = await writeFamilyGguf(model, join(converter.directory, 'quantized.gguf'), 'Q8_0')
  const quantized = await converter.convert(path)
  if (!quantized.manifest.layers[0]?.tensors.some(({ encoding }) => encoding === 'q8')) differences.push('not q8')
  const [prompt = []] = model.prompts
  const { layerCount, vocabularySize } = quantized.manifest.config
  const found = await logitsOf(engine, quantized.init, prompt, { chunk: 7, ends: [layerCount] })
  const cut = await logitsOf(engine, quantized.init, prompt, { chunk: 7, ends: [1, layerCount] })
  const cosines = compare(found, model.logits[0] ?? new Float32Array(0), vocabularySize).cosines.toSorted(
    (a, b) => a - b
  )
  return {
    differences,
    quantizedCosine: cosines[quantized.manifest.config.traits?.experts === undefined ? 0 : cosines.length >> 2] ?? 0,
    quantizedSameBits: sameBits(cut, found)
  }
}

type Init = Parameters<typeof Pipeline.load>[2]

interface Converted {
  readonly manifest: DecoderManifest
  readonly init: Init
}

/** Converts models into one store. */
class Converter {
  readonly directory: string

  constructor(directory: string) {
    this.directory = directory
  }

  async convert(path: string, quantize: Quantize = 'none'): Promise<Converted> {
    await using store = await FileBlobStore.open(join(this.directory, 'blobs'))
    const converted = await convertModel(path, { store, name: 'family', tokenizerFiles, quantize })
    const manifest = requireDecoder(converted.manifest)
    const paths = new Map<string, string>()
    for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
    const init: Init = (range, changes) => ({
      manifest,
      range,
      contextLength: manifest.config.contextLength,
      sessionsMax: 1,
      threads: 1,
      spinning: false,
      weightPath: (file: WeightFile) => paths.get(file.sha256) ?? '',
      workDir: this.directory,
      logits: 'all',
      ...changes
    })
    return { manifest, init }
  }
}

/** Logits of every position, `[positions, vocabulary]`. */
async function logitsOf(
  engine: Engine,
  init: Init,
  prompt: readonly number[],
  { chunk, ends }: { readonly chunk: number; readonly ends: readonly number[] }
): Promise<Float32Array> {
  await using pipeline = await Pipeline.load(engine, ends, init, { contextLength: prompt.length })
  using session: PipelineSession = pipeline.open(prompt.length)
  const found: number[] = []
  for (let start = 0; start < prompt.length; start += chunk) {
    found.push(...(await session.run(prompt.slice(start, start + chunk))))
  }
  return Float32Array.from(found)
}

/** The cosine of every position, and where another token is clearly the best. */
function compare(found: Float32Array, wanted: Float32Array, width: number): { cosines: number[]; wrong: string[] } {
  const wrong: string[] = []
  const cosines = found.length === wanted.length ? [] : [Number.NaN]
  for (let start = 0; start < wanted.length; start += width) {
    const ours = found.subarray(start, start + width)
    const theirs = wanted.subarray(start, start + width)
    cosines.push(cosineOf(ours, theirs))
    const [best = 0, second = 0] = theirs.toSorted().toReversed()
    if (best - second > GAP && argmax(ours) !== argmax(theirs)) wrong.push(`position ${start / width}`)
  }
  return { cosines, wrong }
}

export function sameBits(a: Float32Array, b: Float32Array): boolean {
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength))
}

function hashesOf(manifest: DecoderManifest): string {
  return weightFiles(manifest)
    .map(({ sha256 }) => sha256)
    .join()
}

/** GGUF has its numbers in f32. */
function rounded(config: unknown): string {
  return JSON.stringify(config, (_, value) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value))
}
