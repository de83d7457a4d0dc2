import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DecoderManifest, requireDecoder, type WeightFile, weightFiles } from '@resultity/interface'
import { convertModel, FileBlobStore } from '@resultity/model'
import t from 'tap'
import { argmax, createEngine, type Engine } from '../src/index.ts'
import { readFamilyModel, writeFamilyGguf, writeFolder } from './family-model.ts'
import { Pipeline, type PipelineSession } from './tiny-chat.ts'

const COSINE_MIN = 0.9995
/** Of weights of 8 bits, whose products round the activations to 8 bits too. */
const QUANTIZED_COSINE_MIN = 0.98
/** Where the reference's two best logits are farther apart, the best must be ours too. */
const GAP = 0.1
/** The tests write no tokenizer: the ids of a prompt are given. */
const tokenizerFiles = { definition: new Uint8Array([1]), config: new Uint8Array([2]), endTokenIds: [1] }

const fixtures = join(import.meta.dirname, '../../test/fixtures/families')
const names = (await readdir(fixtures)).filter(name => name.endsWith('.json')).map(name => name.replace('.json', ''))

for (const name of names) {
  t.test(name, async t => {
    const model = await readFamilyModel(name)
    const directory = await mkdtemp(join(tmpdir(), 'families-'))
    t.teardown(() => rm(directory, { recursive: true, force: true }))
    const converter = new Converter(directory)
    const engine = await createEngine()
    const { manifest, init } = await converter.convert(await writeFolder(model, join(directory, 'folder')))

    await t.test('logits of transformers', async t => {
      for (const [index, prompt] of model.prompts.entries()) {
        const wanted = model.logits[index] ?? new Float32Array(0)
        for (const chunk of [prompt.length, 7, 1]) {
          // a context as long as the prompt: longrope has factors for short ones
          const found = await logitsOf(engine, init, prompt, { chunk, ends: [manifest.config.layerCount] })
          const { cosine, wrong } = compare(found, wanted, manifest.config.vocabularySize)
          t.ok(cosine >= COSINE_MIN, `prompt of ${prompt.length} in chunks of ${chunk}: cosine ${cosine}`)
          t.same(wrong, [], 'the same best tokens')
        }
      }
    })

    await t.test('the same bits wherever it is cut', async t => {
      const [prompt = []] = model.prompts
      const { layerCount } = manifest.config
      const alone = await logitsOf(engine, init, prompt, { chunk: 5, ends: [layerCount] })
      const each = Array.from({ length: layerCount }, (_, layer) => layer + 1)
      for (const ends of [...each.slice(0, -1).map(end => [end, layerCount]), each]) {
        const found = await logitsOf(engine, init, prompt, { chunk: 5, ends })
        t.ok(Buffer.from(found.buffer).equals(Buffer.from(alone.buffer)), `cut at ${ends}`)
      }
    })

    if (model.gguf === undefined) return
    await t.test('a GGUF is the same model', async t => {
      const converted = await converter.convert(await writeFamilyGguf(model, join(directory, 'model.gguf')))
      t.same(rounded(converted.manifest.config), rounded(manifest.config))
      t.same(hashesOf(converted.manifest), hashesOf(manifest), 'the same weight files')
    })

    await t.test('quantized, it is nearly the same', async t => {
      const path = await writeFamilyGguf(model, join(directory, 'quantized.gguf'), 'Q8_0')
      const quantized = await converter.convert(path)
      t.ok(quantized.manifest.layers[0]?.tensors.some(tensor => tensor.encoding === 'q8'))
      const [prompt = []] = model.prompts
      const { layerCount, vocabularySize } = quantized.manifest.config
      const found = await logitsOf(engine, quantized.init, prompt, { chunk: 7, ends: [layerCount] })
      const { cosine } = compare(found, model.logits[0] ?? new Float32Array(0), vocabularySize)
      t.ok(cosine >= QUANTIZED_COSINE_MIN, `cosine ${cosine}`)
      const cut = await logitsOf(engine, quantized.init, prompt, { chunk: 7, ends: [1, layerCount] })
      t.ok(Buffer.from(cut.buffer).equals(Buffer.from(found.buffer)), 'the same bits where it is cut')
    })
  })
}

type Init = Parameters<typeof Pipeline.load>[2]

/** Converts models into one store. */
class Converter {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  async convert(path: string): Promise<{ manifest: DecoderManifest; init: Init }> {
    await using store = await FileBlobStore.open(join(this.#directory, 'blobs'))
    const converted = await convertModel(path, { store, name: 'family', tokenizerFiles })
    const manifest = requireDecoder(converted.manifest)
    const paths = new Map<string, string>()
    for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
    const weightPath = (file: WeightFile): string => paths.get(file.sha256) ?? ''
    const init: Init = (range, changes) => ({
      manifest,
      range,
      contextLength: manifest.config.contextLength,
      sessionsMax: 1,
      threads: 1,
      spinning: false,
      weightPath,
      workDir: this.#directory,
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

/** The least cosine of a position, and where another token is clearly the best. */
function compare(found: Float32Array, wanted: Float32Array, width: number): { cosine: number; wrong: string[] } {
  const wrong: string[] = []
  let least = found.length === wanted.length ? 1 : Number.NaN
  for (let start = 0; start < wanted.length; start += width) {
    const ours = found.subarray(start, start + width)
    const theirs = wanted.subarray(start, start + width)
    least = Math.min(least, cosineOf(ours, theirs))
    const [best = 0, second = 0] = theirs.toSorted().toReversed()
    if (best - second > GAP && argmax(ours) !== argmax(theirs)) wrong.push(`position ${start / width}`)
  }
  return { cosine: least, wrong }
}

function cosineOf(a: Float32Array, b: Float32Array): number {
  let [dot, lengthA, lengthB] = [0, 0, 0]
  for (const [i, x] of a.entries()) {
    const y = b[i] ?? 0
    dot += x * y
    lengthA += x * x
    lengthB += y * y
  }
  return dot / Math.sqrt(lengthA * lengthB)
}

function hashesOf(manifest: DecoderManifest): string[] {
  return weightFiles(manifest).map(({ sha256 }) => sha256)
}

/** GGUF has its numbers in f32. */
function rounded(config: unknown): unknown {
  return JSON.parse(JSON.stringify(config), (_, value) =>
    typeof value === 'number' ? Number(value.toPrecision(6)) : value
  )
}
