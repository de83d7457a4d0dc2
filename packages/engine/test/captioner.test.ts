import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lookedAt } from '@resultity/blip'
import {
  type Captioner,
  type CaptionManifest,
  MeshError,
  requireCaptioner,
  type WeightFile,
  weightFiles
} from '@resultity/interface'
import { convertModel, FileBlobStore, readTokenizerFiles } from '@resultity/model'
import { processTuning } from '@resultity/runtime-tuning'
import { TokenSampler } from '@resultity/sampling'
import { createEncoderTokenizer } from '@resultity/tokenizer'
import { Tensor } from 'onnxruntime-node'
import t, { type Test } from 'tap'
import { GraphSource } from '../src/graph-source.ts'
import { type CaptionerInit, createEngine, measureCaptioner } from '../src/index.ts'
import { createNodeSession } from '../src/node/node-runtime.ts'

const fixtures = join(import.meta.dirname, '../../../blip/test/fixtures')

/** What `generate` of transformers makes; `min_length` and `max_length` count the prompt, as there. */
interface Generated {
  readonly prompt: string | null
  readonly max_length: number
  readonly min_length?: number
  readonly repetition_penalty?: number
  readonly tokens: readonly number[]
  readonly text: string
}

/** Made by scripts/reference-blip.py; f32 in base64. */
interface Reference {
  readonly vision: readonly string[]
  readonly seen: string
  readonly question?: readonly number[]
  readonly asked?: readonly string[]
  readonly tokens: readonly number[]
  readonly text: readonly string[]
  readonly logits: string
  readonly generated: readonly Generated[]
}

const models = [
  { folder: 'tiny-captioner', reference: await referenceOf('captioner.json') },
  { folder: 'tiny-answerer', reference: await referenceOf('answerer.json') }
]

async function referenceOf(name: string): Promise<Reference> {
  return JSON.parse(await readFile(join(fixtures, name), 'utf8'))
}

function floats(base64: string | undefined): Float32Array {
  const bytes = Buffer.from(base64 ?? '', 'base64')
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}

/** The picture of the reference, by its formula: u8 `[height, width, 3]`. */
function picture(width: number, height: number): Uint8Array {
  return Uint8Array.from({ length: 3 * width * height }, (_, index) => {
    const c = index % 3
    const x = Math.floor(index / 3) % width
    const y = Math.floor(index / (3 * width))
    const checks = ((Math.floor(x / 5) + Math.floor(y / 7)) % 2) * 90
    return (x * 7 + y * 13 + c * 50 + ((x * y * (c + 1)) % 61) * 3 + checks) % 256
  })
}

interface Converted {
  readonly manifest: CaptionManifest
  readonly pixels: Float32Array
  readonly tokenizer: ReturnType<typeof createEncoderTokenizer>
  init(changes?: Partial<CaptionerInit>): CaptionerInit
}

async function convert(t: Test, folder: string): Promise<Converted> {
  const directory = await mkdtemp(join(tmpdir(), 'captioner-test-'))
  const store = await FileBlobStore.open(join(directory, 'blobs'))
  t.teardown(async () => {
    await store[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })
  const path = join(fixtures, folder)
  const tokenizerFiles = await readTokenizerFiles(path)
  const manifest = requireCaptioner((await convertModel(path, { store, name: 'tiny', tokenizerFiles })).manifest)
  const paths = new Map<string, string>()
  for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
  const weightPath = (file: WeightFile): string => paths.get(file.sha256) ?? ''
  const { imageSize, textContext: contextLength, vocabularySize } = manifest.config
  return {
    manifest,
    pixels: lookedAt(picture(imageSize, imageSize), manifest.config),
    tokenizer: createEncoderTokenizer(tokenizerFiles.definition, { contextLength, vocabularySize }),
    init: changes => ({
      manifest,
      threads: 1,
      spinning: false,
      picturesMax: 2,
      weightPath,
      workDir: directory,
      ...changes
    })
  }
}

function cosineOf(a: Float32Array, b: Float32Array): number {
  let [dot, lengthA, lengthB] = [0, 0, 0]
  for (const [index, x] of a.entries()) {
    const y = b[index] ?? Number.NaN
    dot += x * y
    lengthA += x * x
    lengthB += y * y
  }
  return dot / Math.sqrt(lengthA * lengthB)
}

function errorMaxOf(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, x, index) => Math.max(most, Math.abs(x - (b[index] ?? Number.NaN))), 0)
}

function compare(t: Test, found: Float32Array, wanted: Float32Array, what: string): void {
  t.equal(found.length, wanted.length, what)
  t.ok(cosineOf(found, wanted) >= 0.999999, `${what}: cosine ${cosineOf(found, wanted)}`)
  t.ok(errorMaxOf(found, wanted) < 1e-4, `${what}: off by ${errorMaxOf(found, wanted)}`)
}

function floatsOf(tensor: Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data
  throw new Error('there is no such output')
}

const i64 = (...values: number[]): Tensor => new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length])
const i32 = (values: readonly number[], ...shape: number[]): Tensor =>
  new Tensor('int32', Int32Array.from(values), shape)

for (const { folder, reference } of models) {
  t.test(`${folder}: the states behind every layer are those of transformers`, async t => {
    const { manifest, pixels, init } = await convert(t, folder)
    const { imageSize, text, textContext } = manifest.config
    const { question, tokens } = reference
    await using sight = await GraphSource.forSight({ ...init(), everyState: true })
    await using written = await GraphSource.forCaption({ ...init(), everyState: true })
    const looking = await createNodeSession(sight, init(), processTuning(false))
    const writing = await createNodeSession(written, init(), processTuning(false))
    const feeds: Record<string, Tensor> = {
      [sight.graph.pixels]: new Tensor('float32', pixels, [1, 3, imageSize, imageSize])
    }
    if (sight.graph.question !== undefined && question !== undefined) {
      feeds[sight.graph.question.tokens] = i32(question, 1, question.length)
      feeds[sight.graph.question.positions] = i64(...question.keys())
    }
    const seen = await looking.run(feeds)
    const wanted = [...reference.vision, reference.seen]
    t.equal(sight.graph.seen.length, wanted.length)
    for (const [at, edge] of sight.graph.seen.entries()) compare(t, floatsOf(seen[edge]), floats(wanted[at]), edge)
    t.equal(sight.graph.asked.length, reference.asked?.length ?? 0)
    for (const [at, edge] of sight.graph.asked.entries())
      compare(t, floatsOf(seen[edge]), floats(reference.asked?.[at]), edge)
    const empty = new Float32Array(textContext * text.hiddenSize)
    const shape = [1, text.headCount, textContext, text.hiddenSize / text.headCount]
    const results = await writing.run({
      [written.graph.tokens]: i32(tokens, 1, tokens.length),
      [written.graph.positions]: i64(...tokens.keys()),
      [written.graph.firstRow]: i64(0),
      [written.graph.lastPosition]: i32([tokens.length - 1], 1),
      [written.graph.totalPositions]: i32([tokens.length]),
      ...Object.fromEntries(written.graph.cache.map(({ past }) => [past, new Tensor('float32', empty.slice(), shape)])),
      ...Object.fromEntries(
        written.graph.cross.flatMap(({ keys, values }) => [keys, values].map(edge => [edge, seen[edge] as Tensor]))
      )
    })
    t.equal(written.graph.states.length, reference.text.length)
    for (const [at, edge] of written.graph.states.entries())
      compare(t, floatsOf(results[edge]), floats(reference.text[at]), edge)
    await looking.release()
    await writing.release()
  })
}

/** As `generate` does: the likeliest token, again and again, by the rules of the engine's own sampler. */
async function generate(
  model: Captioner,
  converted: Converted,
  wanted: Generated,
  question?: readonly number[]
): Promise<number[]> {
  const { begin, end } = model.config.tokens
  const words =
    question === undefined && wanted.prompt !== null ? converted.tokenizer.encode(wanted.prompt).slice(1, -1) : []
  const tokens = [begin, ...words]
  const sampler = new TokenSampler({
    sampling: { temperature: 0, topP: 1, seed: 0n, repetitionPenalty: wanted.repetition_penalty ?? 1 },
    promptTokens: tokens,
    endTokens: [end],
    tokensMin: Math.max(0, (wanted.min_length ?? 0) - tokens.length)
  })
  using text = await model.look(converted.pixels, question === undefined ? {} : { question })
  for (let next = tokens.slice(); tokens.length < wanted.max_length && tokens.at(-1) !== end; ) {
    const token = sampler.next(await text.run(next), tokens.length)
    tokens.push(token)
    next = [token]
  }
  return tokens
}

for (const kind of ['capi', 'node'] as const) {
  for (const { folder, reference } of models) {
    t.test(
      `${kind}, ${folder}: logits of every position, at once and one by one, and texts are those of transformers`,
      async t => {
        const converted = await convert(t, folder)
        const { init, pixels, tokenizer } = converted
        const engine = await createEngine(kind)
        await using model = await engine.loadCaptioner(init())
        const { question, tokens } = reference
        const asked = question === undefined ? {} : { question }
        const wanted = floats(reference.logits)
        using text = await model.look(pixels, asked)
        compare(t, await text.run(tokens, { logits: 'all' }), wanted, 'at once')
        t.equal(text.position, tokens.length)
        using other = await model.look(pixels, asked)
        const single: number[] = []
        for (const token of tokens) single.push(...(await other.run([token])))
        compare(t, Float32Array.from(single), wanted, 'one by one')
        text[Symbol.dispose]()
        other[Symbol.dispose]()
        for (const generated of reference.generated) {
          const found = await generate(model, converted, generated, question)
          t.same(found, generated.tokens, JSON.stringify(generated))
          t.equal(tokenizer.decode(found), generated.text)
        }
        const { msPerTokenLayer, lookingMs } = await measureCaptioner(model)
        t.ok(msPerTokenLayer > 0 && lookingMs > 0)
        t.equal(model.picturesOpen, 0)
      }
    )
  }

  t.test(`${kind}: what is open is counted, and what is wrong refused`, async t => {
    const { init, pixels } = await convert(t, 'tiny-answerer')
    const engine = await createEngine(kind)
    const refused = (code: string, work: Promise<unknown>): Promise<unknown> => t.rejects(work, { code })
    for (const picturesMax of [0, 1025, 1.5])
      await refused('invalid_request', engine.loadCaptioner(init({ picturesMax })))
    const model = await engine.loadCaptioner(init())
    const { textContext, vocabularySize, tokens } = model.config
    const question = [tokens.end]
    await refused('invalid_request', model.look(pixels))
    await refused('invalid_request', model.look(pixels, { question: [] }))
    await refused('invalid_request', model.look(pixels, { question: [vocabularySize] }))
    await refused('invalid_request', model.look(pixels.subarray(1), { question }))
    await refused('invalid_request', model.look(pixels.with(7, Number.NaN), { question }))
    await refused('context_length_exceeded', model.look(pixels, { question: Array(textContext + 1).fill(1) }))
    const ended = new MeshError('canceled', 'ended')
    await refused('canceled', model.look(pixels, { question, signal: AbortSignal.abort(ended) }))
    t.equal(model.picturesOpen, 0)
    const first = await model.look(pixels, { question: Array(textContext).fill(5) })
    using second = await model.look(pixels, { question })
    t.equal(model.picturesOpen, 2)
    await refused('resource_exhausted', model.look(pixels, { question }))
    first[Symbol.dispose]()
    await refused('unavailable', first.run([tokens.begin]))
    await refused('invalid_request', second.run([]))
    await refused('invalid_request', second.run([vocabularySize]))
    await refused('context_length_exceeded', second.run(Array(textContext + 1).fill(1)))
    await second.run(Array(textContext).fill(1))
    t.equal(second.position, textContext)
    await refused('context_length_exceeded', second.run([1]))
    const running = model.look(pixels, { question })
    await model[Symbol.asyncDispose]()
    await running.then(
      text => text[Symbol.dispose](),
      (error: unknown) => t.match(error, { code: 'unavailable' })
    )
    await refused('unavailable', model.look(pixels, { question }))
    await model[Symbol.asyncDispose]()
  })

  t.test(`${kind}: a model for captions takes no question, and damaged weights give an error`, async t => {
    const { init, manifest, pixels } = await convert(t, 'tiny-captioner')
    const engine = await createEngine(kind)
    await using model = await engine.loadCaptioner(init())
    await t.rejects(model.look(pixels, { question: [3] }), { code: 'invalid_request' })
    const damaged = join(init().workDir, 'damaged')
    const { embedding } = manifest
    await writeFile(damaged, new Uint8Array(embedding.bytes).fill(255))
    const weightPath = (file: WeightFile): string => (file === embedding ? damaged : init().weightPath(file))
    await using wrong = await engine.loadCaptioner(init({ weightPath }))
    using text = await wrong.look(pixels)
    await t.rejects(text.run([1]), { code: 'engine_failed' })
    await t.rejects(engine.loadCaptioner(init({ weightPath: () => '/nowhere' })), { code: 'engine_failed' })
  })
}
