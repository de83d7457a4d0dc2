import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { MeshError, requireDecoder, type WeightFile, weightFiles } from '@resultity/interface'
import { convertModel, fetchModel, parseModelReference, readTokenizerFiles } from '@resultity/model'
import { argmax } from '@resultity/sampling'
import t from 'tap'
import { createEngine } from '../src/index.ts'

const fixtures = join(import.meta.dirname, '../../test/fixtures/smollm2-logits')
/** Kept between runs of the tests, so that the model is downloaded once. */
const dataDir = join(import.meta.dirname, '../../../../data/test')

interface Reference {
  readonly vocabularySize: number
  readonly sketchBuckets: number
  readonly full: readonly { readonly prompt: number; readonly position: number }[]
  readonly prompts: readonly {
    readonly ids: readonly number[]
    readonly topIds: readonly (readonly number[])[]
    readonly topLogits: readonly (readonly number[])[]
  }[]
}

interface Variant {
  readonly name: string
  readonly dequantize: boolean
  /** Least cosine with the reference, at every position. */
  readonly cosine: number
  /** Least mean of these cosines. */
  readonly meanCosine: number
  /** Where the reference's two best logits are farther apart than this, the best must be ours too. */
  readonly gap: number
}

const variants: readonly Variant[] = [
  { name: 'f32 weights', dequantize: true, cosine: 0.9995, meanCosine: 0.9995, gap: 0.1 },
  // products of 4-bit weights round the activations to 8 bits per block
  { name: 'the weights as they are stored', dequantize: false, cosine: 0.95, meanCosine: 0.998, gap: 1 }
]

/** The GGUF the reference was computed from, or why it cannot be had here. */
async function fetchGguf(): Promise<string | MeshError> {
  try {
    return (await fetchModel(parseModelReference('smollm2-135m'), { dataDir })).path
  } catch (error) {
    if (error instanceof MeshError && error.code === 'model_unavailable') return error
    throw error
  }
}

const reference: Reference = JSON.parse(await readFile(join(fixtures, 'vectors.json'), 'utf8'))
const full = Float32Array.from(new Float16Array(await readBytes('logits.f16')))
const sketches = new Float32Array(await readBytes('sketches.f32'))

async function readBytes(name: string): Promise<ArrayBuffer> {
  return new Uint8Array(await readFile(join(fixtures, name))).buffer
}

const gguf = await fetchGguf()
for (const variant of variants) {
  const skip = gguf instanceof MeshError ? `SmolLM2 is not here and cannot be fetched: ${gguf.message}` : false
  t.test(`logits of transformers, ${variant.name}`, { skip }, async t => {
    const found = await logitsOfPrompts(String(gguf), variant.dequantize)
    const width = reference.vocabularySize
    const at = (prompt: number, position: number): Float32Array =>
      found[prompt]?.subarray(position * width, (position + 1) * width) ?? new Float32Array(width)

    const cosines = reference.full.map(({ prompt, position }, index) =>
      cosineOf(at(prompt, position), full.subarray(index * width, (index + 1) * width))
    )
    t.ok(Math.min(...cosines) >= variant.cosine, `whole vectors: cosines from ${Math.min(...cosines)}`)

    const estimates: number[] = []
    const wrong: string[] = []
    for (const [prompt, { ids, topIds, topLogits }] of reference.prompts.entries()) {
      for (const position of ids.keys()) {
        const logits = at(prompt, position)
        const offset = estimates.length * reference.sketchBuckets
        const wanted = sketches.subarray(offset, offset + reference.sketchBuckets)
        estimates.push(cosineOf(sketchOf(logits, reference.sketchBuckets), wanted))
        const [best = 0, second = 0] = topLogits[position] ?? []
        const token = argmax(logits)
        if (best - second > variant.gap && token !== topIds[position]?.[0])
          wrong.push(`${prompt}[${position}]: ${token}`)
      }
    }
    t.equal(estimates.length, sketches.length / reference.sketchBuckets, 'every position has a sketch')
    t.ok(Math.min(...estimates) >= variant.cosine, `sketches of every position: from ${Math.min(...estimates)}`)
    const mean = estimates.reduce((sum, estimate) => sum + estimate, 0) / estimates.length
    t.ok(mean >= variant.meanCosine, `${mean} in the mean`)
    t.same(wrong, [], `the same best token wherever the gap is over ${variant.gap}`)
  })
}

/** Logits of every position of every prompt, `[positions, vocabulary]` each. */
async function logitsOfPrompts(path: string, dequantize: boolean): Promise<Float32Array[]> {
  const directory = await mkdtemp(join(tmpdir(), 'reference-logits-'))
  try {
    await using store = await FileBlobStore.open(join(directory, 'blobs'))
    const { manifest } = await convertModel(path, {
      store,
      name: 'smollm2',
      dequantize,
      tokenizerFiles: await readTokenizerFiles(path)
    })
    const paths = new Map<string, string>()
    for (const { sha256 } of weightFiles(manifest)) {
      paths.set(sha256, (await store.find(sha256)) ?? '')
    }
    const engine = await createEngine()
    await using stage = await engine.loadStage({
      manifest: requireDecoder(manifest),
      range: { first: 0, end: manifest.layers.length },
      contextLength: 256,
      sessionsMax: 1,
      threads: 2,
      spinning: false,
      weightPath: (file: WeightFile) => paths.get(file.sha256) ?? '',
      workDir: directory,
      logits: 'all'
    })
    const found: Float32Array[] = []
    for (const { ids } of reference.prompts) {
      using session = stage.open({ positionsMax: 256 })
      found.push((await session.run(Uint32Array.from(ids))).slice())
    }
    return found
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** The count sketch that the fixtures' README describes. */
function sketchOf(logits: Float32Array, buckets: number): Float32Array {
  const sketch = new Float32Array(buckets)
  for (const [token, logit] of logits.entries()) {
    const hash = murmurFinalizer(token)
    const bucket = hash % buckets
    sketch[bucket] = (sketch[bucket] ?? 0) + (hash >>> 31 === 1 ? -logit : logit)
  }
  return sketch
}

function murmurFinalizer(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function cosineOf(a: Float32Array, b: Float32Array): number {
  let dot = 0
  let lengthA = 0
  let lengthB = 0
  for (let i = 0; i < a.length; i++) {
    const x = a[i] ?? 0
    const y = b[i] ?? 0
    dot += x * y
    lengthA += x * x
    lengthB += y * y
  }
  return dot / Math.sqrt(lengthA * lengthB)
}
