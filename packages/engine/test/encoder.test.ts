import { mkdtemp, readdir, readFile, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { type EncoderManifest, MeshError, requireEncoder, type WeightFile, weightFiles } from '@resultity/interface'
import { convertModel, fetchModel, parseModelReference, readTokenizerFiles } from '@resultity/model'
import { createEncoderTokenizer } from '@resultity/tokenizer'
import t, { type Test } from 'tap'
import { batchInputs, planBatches } from '../src/encoder-batches.ts'
import {
  availableExecutionProviders,
  createEngine,
  type Encoder,
  type EncoderInit,
  measureEncoder
} from '../src/index.ts'

const fixtures = join(import.meta.dirname, '../../../model/test/fixtures/embeddings')
const tinyEncoder = join(import.meta.dirname, '../../../model/test/fixtures/tiny-encoder')
/** Kept between runs of the tests, so that the model is downloaded once. */
const dataDir = join(import.meta.dirname, '../../../../data/test')

/** Made by scripts/reference-embeddings.py. */
interface Reference {
  readonly texts: readonly { readonly text: string; readonly ids: number[]; readonly vector: number[] }[]
  readonly hard: readonly { readonly text: string; readonly ids: number[] }[]
}

async function readReference(name: string): Promise<Reference> {
  return JSON.parse(await readFile(join(fixtures, `${name}.json`), 'utf8'))
}

interface Converted {
  readonly manifest: EncoderManifest
  readonly directory: string
  init(changes?: Partial<EncoderInit>): EncoderInit
}

async function convert(t: Test, path: string): Promise<Converted> {
  const directory = await mkdtemp(join(tmpdir(), 'encoder-test-'))
  const store = await FileBlobStore.open(join(directory, 'blobs'))
  t.teardown(async () => {
    await store[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })
  const converted = await convertModel(path, { store, name: 'encoder', tokenizerFiles: await readTokenizerFiles(path) })
  const manifest = requireEncoder(converted.manifest)
  const paths = new Map<string, string>()
  for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
  const workDir = await mkdtemp(join(directory, 'work-'))
  const weightPath = (file: WeightFile): string => paths.get(file.sha256) ?? ''
  return {
    manifest,
    directory: workDir,
    init: changes => ({ manifest, threads: 1, spinning: false, weightPath, workDir, ...changes })
  }
}

function cosineOf(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, lengthA, lengthB] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] ?? Number.NaN, b[i] ?? Number.NaN]
    dot += x * y
    lengthA += x * x
    lengthB += y * y
  }
  return dot / Math.sqrt(lengthA * lengthB)
}

const rowOf = (vectors: Float32Array, encoder: Encoder, row: number): Float32Array =>
  vectors.subarray(row * encoder.dimensions, (row + 1) * encoder.dimensions)

/** All texts at once, padded to each other, and each by itself. */
async function compareWithReference(t: Test, encoder: Encoder, reference: Reference): Promise<void> {
  const inputs = reference.texts.map(({ ids }) => ids)
  const together = await encoder.encode(inputs)
  for (const [row, { text, ids, vector }] of reference.texts.entries()) {
    const alone = await encoder.encode([ids])
    for (const [how, found] of Object.entries({ together: rowOf(together, encoder, row), alone })) {
      t.ok(cosineOf(found, vector) >= 0.999999, `${how}: ${text.slice(0, 30)}: ${cosineOf(found, vector)}`)
      t.ok(Math.abs(Math.hypot(...found) - 1) < 1e-5, 'of length 1')
    }
  }
}

for (const kind of ['capi', 'node'] as const) {
  t.test(`${kind}: the vectors of transformers, alone and in a batch`, async t => {
    const { init } = await convert(t, tinyEncoder)
    await using encoder = await (await createEngine(kind)).loadEncoder(init())
    t.equal(encoder.dimensions, 32)
    await compareWithReference(t, encoder, await readReference('tiny-encoder'))
  })

  t.test(`${kind}: wrong input is refused, and callers take turns`, async t => {
    const { init } = await convert(t, tinyEncoder)
    await using encoder = await (await createEngine(kind)).loadEncoder(init())
    const wrong = { none: [], empty: [[]], 'too long': [Array(41).fill(1)], 'no token': [[1, 100_000]], half: [[0.5]] }
    for (const [name, inputs] of Object.entries(wrong)) {
      await t.rejects(encoder.encode(inputs), { code: 'invalid_request' }, name)
    }
    await t.rejects(encoder.encode(Array(2049).fill([1])), { code: 'invalid_request' }, 'too many')
    const many = Array.from({ length: 300 }, (_, row) => Array.from({ length: 40 }, (_, at) => (row + at) % 200))
    const [first, second] = await Promise.all([encoder.encode(many), encoder.encode(many.toReversed())])
    for (const row of many.keys()) {
      t.ok(cosineOf(rowOf(first, encoder, row), rowOf(second, encoder, 299 - row)) > 0.99999)
    }
    const { msPerTokenLayer } = await measureEncoder(encoder)
    t.ok(msPerTokenLayer > 0 && msPerTokenLayer < 100)
  })

  t.test(`${kind}: an aborted call ends with its reason and no other does`, async t => {
    const { init } = await convert(t, tinyEncoder)
    const encoder = await (await createEngine(kind)).loadEncoder(init())
    const many = Array.from({ length: 2048 }, () => Array(40).fill(7))
    const controller = new AbortController()
    const aborted = encoder.encode(many, { signal: controller.signal })
    const waiting = encoder.encode(many, { signal: controller.signal })
    const other = encoder.encode([[1, 2, 3]])
    controller.abort(new MeshError('canceled', 'enough'))
    await t.rejects(aborted, { message: 'enough' })
    await t.rejects(waiting, { message: 'enough' })
    t.equal((await other).length, 32)
    const left = t.rejects(encoder.encode(many), { code: 'unavailable' }, 'disposal ends what is under way')
    await encoder[Symbol.asyncDispose]()
    await left
    await encoder[Symbol.asyncDispose]()
    await t.rejects(encoder.encode([[1]]), { code: 'unavailable' })
  })

  t.test(`${kind}: an encoder that cannot be loaded says why and leaves nothing`, async t => {
    const { manifest, init, directory } = await convert(t, tinyEncoder)
    const engine = await createEngine(kind)
    const lacking = structuredClone(manifest)
    lacking.layers[1]?.tensors.pop()
    await t.rejects(engine.loadEncoder(init({ manifest: lacking })), { code: 'model_invalid' })
    await t.rejects(engine.loadEncoder(init({ weightPath: () => join(directory, 'absent') })), {
      code: 'engine_failed'
    })
    const path = init().weightPath(manifest.embedding)
    await truncate(path, 4096)
    await t.rejects(engine.loadEncoder(init()), { code: 'engine_failed' })
    t.same(await readdir(directory), [])
  })
}

t.test('CLS pooling takes the first state, and vectors need not be normalized', async t => {
  const { manifest, init } = await convert(t, tinyEncoder)
  const engine = await createEngine()
  const input = [[2, 40, 41, 3]]
  const load = (config: Partial<EncoderManifest['config']>) =>
    engine.loadEncoder(init({ manifest: { ...manifest, config: { ...manifest.config, ...config } } }))
  await using mean = await load({ normalize: false })
  await using cls = await load({ pooling: 'cls', normalize: false })
  await using both = await load({ pooling: 'cls' })
  const [plain, first, scaled] = [await mean.encode(input), await cls.encode(input), await both.encode(input)]
  t.ok(cosineOf(plain, first) < 0.99)
  t.ok(cosineOf(first, scaled) > 0.99999)
  t.ok(Math.abs(Math.hypot(...first) - 1) > 0.1)
})

t.test('batches are bounded, hold every input once, and fill up little', async t => {
  const lengths = Array.from({ length: 500 }, (_, index) => 1 + ((index * 37) % 256))
  const batches = planBatches(lengths)
  t.same(
    batches.flatMap(({ indices }) => indices).toSorted((a, b) => a - b),
    lengths.map((_, index) => index)
  )
  const sizes = batches.map(({ indices, width }) => indices.length * width)
  t.ok(Math.max(...sizes) <= 2048)
  const filled = sizes.reduce((sum, size) => sum + size, 0) / lengths.reduce((sum, length) => sum + length, 0)
  t.ok(filled < 1.1, `${filled} times the tokens`)
  t.same(planBatches([5000]), [{ indices: [0], width: 5000 }], 'one input alone may be longer')
  t.same(planBatches([]), [])
  const inputs = batchInputs({ indices: [1, 0], width: 3 }, { inputs: [[7], [4, 5, 6]] }, 'mean')
  t.same([...inputs.tokens], [4, 5, 6, 7, 0, 0])
  t.same([...inputs.lengths], [3, 1])
  t.same([...inputs.shares], [...Float32Array.of(1 / 3, 1 / 3, 1 / 3, 1, 0, 0)])
})

t.test('all-MiniLM-L6-v2 gives the vectors of transformers', async t => {
  const path = await fetchModel(parseModelReference('all-minilm-l6-v2'), { dataDir }).catch((error: unknown) => {
    if (error instanceof MeshError && error.code === 'model_unavailable') return error
    throw error
  })
  if (path instanceof MeshError) return t.plan(0, `the model is not here and cannot be fetched: ${path.message}`)
  const { manifest, init } = await convert(t, path.path)
  t.match(manifest.config, { layerCount: 6, hiddenSize: 384, contextLength: 256, pooling: 'mean', normalize: true })
  await using encoder = await (await createEngine()).loadEncoder(init({ threads: 2 }))
  const reference = await readReference('all-minilm-l6-v2')
  await compareWithReference(t, encoder, reference)
  const tokenizer = createEncoderTokenizer((await readTokenizerFiles(path.path)).definition, manifest.config)
  for (const [index, { text, ids }] of reference.hard.entries()) {
    t.strictSame(tokenizer.encode(text), ids, `hard text ${index}`)
  }
  for (const { text, ids } of reference.texts.filter(({ ids }) => ids.length < 256)) {
    t.strictSame(tokenizer.encode(text), ids, text)
  }
})

t.test('the runtime names what it could compute with', async t => {
  t.ok(availableExecutionProviders().includes('cpu'))
  t.ok(
    availableExecutionProviders().every(name => /^[a-z0-9]+$/.test(name)),
    availableExecutionProviders().join()
  )
})
