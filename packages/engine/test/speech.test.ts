import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { MeshError, requireSpeech, type SpeechManifest, type WeightFile, weightFiles } from '@resultity/interface'
import { convertModel, readTokenizerFiles } from '@resultity/model'
import { processTuning } from '@resultity/runtime-tuning'
import { Tensor } from 'onnxruntime-node'
import t, { type Test } from 'tap'
import { GraphSource } from '../src/graph-source.ts'
import { createEngine, type SpeechInit, type SpeechModel, type SpeechSession } from '../src/index.ts'
import { createNodeSession } from '../src/node/node-runtime.ts'

const fixtures = join(import.meta.dirname, '../../../whisper/test/fixtures')

/** Made by scripts/reference-whisper.py. */
interface Reference {
  /** Positions of the encoder that are compared. */
  readonly rows: readonly number[]
  /** Of each decoder layer, f32 in base64 `[rows, hidden]`. */
  readonly cross: readonly { readonly keys: string; readonly values: string }[]
  readonly tokens: readonly number[]
  /** f32 in base64, `[tokens, vocabulary]`. */
  readonly logits: string
  readonly frames: readonly number[]
  /** f32 in base64, `[heads, tokens, frames]`. */
  readonly looks: string
  /** The first five tokens, and what is most likely behind them. */
  readonly greedy: readonly number[]
}

const reference: Reference = JSON.parse(await readFile(join(fixtures, 'tiny-whisper.json'), 'utf8'))

function floats(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64')
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}

/** The spectrogram of the reference, by its formula. */
function waves(bins = 80, frames = 3000): Float32Array {
  return Float32Array.from({ length: bins * frames }, (_, index) => {
    const [bin, frame] = [Math.floor(index / frames), index % frames]
    return Math.sin(0.37 * bin + 0.011 * frame) * Math.cos(0.0023 * frame * (1 + (bin % 5)))
  })
}

interface Converted {
  readonly manifest: SpeechManifest
  init(changes?: Partial<SpeechInit>): SpeechInit
}

async function convert(t: Test, folder: string): Promise<Converted> {
  const directory = await mkdtemp(join(tmpdir(), 'speech-test-'))
  const store = await FileBlobStore.open(join(directory, 'blobs'))
  t.teardown(async () => {
    await store[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })
  const path = join(fixtures, folder)
  const converted = await convertModel(path, { store, name: 'tiny', tokenizerFiles: await readTokenizerFiles(path) })
  const manifest = requireSpeech(converted.manifest)
  const paths = new Map<string, string>()
  for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
  const weightPath = (file: WeightFile): string => paths.get(file.sha256) ?? ''
  return {
    manifest,
    init: changes => ({
      manifest,
      threads: 1,
      spinning: false,
      windowsMax: 2,
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

function argmax(values: Float32Array): number {
  return values.reduce((best, value, index) => (value > (values[best] ?? 0) ? index : best), 0)
}

/** The logits of the reference as they should be at each position. */
function compareLogits(t: Test, found: Float32Array, wanted: Float32Array, what: string): void {
  t.equal(found.length, wanted.length, what)
  t.ok(cosineOf(found, wanted) >= 0.99999, `${what}: cosine ${cosineOf(found, wanted)}`)
  t.ok(errorMaxOf(found, wanted) < 1e-4, `${what}: off by ${errorMaxOf(found, wanted)}`)
}

const wantedLogits = floats(reference.logits)
const wantedLooks = floats(reference.looks)

t.test('what is heard is what transformers hears: keys and values of every decoder layer', async t => {
  const { manifest, init } = await convert(t, 'tiny-whisper')
  const { audioContext, hiddenSize, decoderHeadCount, melBins } = manifest.config
  const headDim = hiddenSize / decoderHeadCount
  await using source = await GraphSource.forAudio(init())
  const session = await createNodeSession(source, init(), processTuning(false))
  const mel = new Tensor('float32', waves(), [1, melBins, 2 * audioContext])
  const results = await session.run({ [source.graph.mel]: mel })
  for (const [layer, edges] of source.graph.cross.entries()) {
    for (const half of ['keys', 'values'] as const) {
      const data = floatsOf(results[edges[half]])
      const found = Float32Array.from({ length: reference.rows.length * hiddenSize }, (_, index) => {
        const position = reference.rows[Math.floor(index / hiddenSize)] ?? 0
        const column = index % hiddenSize
        const [head, dim] = [Math.floor(column / headDim), column % headDim]
        const at = half === 'keys' ? column * audioContext + position : (head * audioContext + position) * headDim + dim
        return data[at] ?? Number.NaN
      })
      const wanted = floats(reference.cross[layer]?.[half] ?? '')
      t.equal(found.length, wanted.length)
      t.ok(cosineOf(found, wanted) >= 0.999999, `layer ${layer}, ${half}: cosine ${cosineOf(found, wanted)}`)
      t.ok(errorMaxOf(found, wanted) < 1e-4, `layer ${layer}, ${half}: off by ${errorMaxOf(found, wanted)}`)
    }
  }
  await session.release()
})

function floatsOf(tensor: Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data
  throw new Error('there is no such output')
}

for (const kind of ['capi', 'node'] as const) {
  for (const folder of ['tiny-whisper', 'tiny-whisper-ct2']) {
    t.test(`${kind}: ${folder} gives the logits of transformers at every position`, async t => {
      const { manifest, init } = await convert(t, folder)
      await using model = await (await createEngine(kind)).loadSpeech(init())
      const { vocabularySize } = manifest.config
      using window = await model.hear(waves())
      using session = window.open()
      const { tokens } = reference
      compareLogits(t, await session.run(tokens, { logits: 'all' }), wantedLogits, 'at once')
      session.truncate(3)
      for (let at = 3; at < tokens.length; at++) {
        const row = wantedLogits.subarray(at * vocabularySize, (at + 1) * vocabularySize)
        compareLogits(t, await session.run(tokens.slice(at, at + 1)), row, `position ${at} by itself`)
      }
      t.equal(session.position, tokens.length)
    })
  }

  t.test(`${kind}: decodes greedily as transformers does`, async t => {
    const { init } = await convert(t, 'tiny-whisper')
    await using model = await (await createEngine(kind)).loadSpeech(init())
    using window = await model.hear(waves())
    using session = window.open()
    const { greedy } = reference
    const tokens = greedy.slice(0, 5)
    let logits = await session.run(tokens)
    while (tokens.length < greedy.length) {
      tokens.push(argmax(logits))
      logits = await session.run(tokens.slice(-1))
    }
    t.same(tokens, greedy)
  })

  t.test(`${kind}: the alignment heads look where those of transformers do`, async t => {
    const { manifest, init } = await convert(t, 'tiny-whisper')
    await using model = await (await createEngine(kind)).loadSpeech(init())
    using window = await model.hear(waves())
    using session = window.open()
    const { tokens, frames } = reference
    const { alignmentHeads, audioContext } = manifest.config
    const looks = await session.align(tokens)
    t.equal(looks.length, alignmentHeads.length * tokens.length * audioContext)
    const rows = looks.length / audioContext
    const picked = Float32Array.from({ length: rows * frames.length }, (_, index) => {
      const row = Math.floor(index / frames.length)
      return looks[row * audioContext + (frames[index % frames.length] ?? 0)] ?? Number.NaN
    })
    t.ok(cosineOf(picked, wantedLooks) >= 0.99999, `cosine ${cosineOf(picked, wantedLooks)}`)
    t.ok(errorMaxOf(picked, wantedLooks) < 1e-5, `off by ${errorMaxOf(picked, wantedLooks)}`)
    t.equal(session.position, tokens.length, 'what was aligned is what the session has')
    const next = await session.run([41])
    using other = await begun(model, [...tokens, 41])
    compareLogits(t, next, other.logits, 'behind an alignment')
  })

  t.test(`${kind}: what is open is counted, and what is wrong refused`, async t => {
    const { init } = await convert(t, 'tiny-whisper')
    const engine = await createEngine(kind)
    await t.rejects(engine.loadSpeech(init({ windowsMax: 0 })), { code: 'invalid_request' })
    await t.rejects(engine.loadSpeech(init({ sessionsPerWindow: 17 })), { code: 'invalid_request' })
    await using model = await engine.loadSpeech(init())
    await t.rejects(model.hear(new Float32Array(5)), { code: 'invalid_request', message: /80 × 3000/ })
    await t.rejects(model.hear(waves().fill(Number.NaN, 7, 8)), { code: 'invalid_request', message: /no number/ })
    t.equal(model.windowsOpen, 0)
    using first = await model.hear(waves())
    using second = await model.hear(waves())
    await t.rejects(model.hear(waves()), { code: 'resource_exhausted' })
    second[Symbol.dispose]()
    second[Symbol.dispose]()
    t.equal(model.windowsOpen, 1)
    t.throws(() => second.open(), { code: 'unavailable' })
    using session = first.open()
    t.throws(() => first.open(), { code: 'resource_exhausted' })
    await t.rejects(session.run([]), { code: 'invalid_request' })
    for (const wrong of [-1, 0.5, 1812]) await t.rejects(session.run([wrong]), { code: 'invalid_request' }, `${wrong}`)
    await t.rejects(session.run(new Array(449).fill(1)), { code: 'context_length_exceeded' })
    await session.run(new Array(448).fill(1))
    await t.rejects(session.run([1]), { code: 'context_length_exceeded' })
    t.throws(() => session.truncate(449), { code: 'invalid_request' })
    session.truncate(447)
    const running = session.run([2])
    await t.rejects(session.run([2]), { code: 'invalid_request', message: /is running/ })
    t.throws(() => session.truncate(0), { code: 'invalid_request', message: /is running/ })
    await running
    session[Symbol.dispose]()
    await t.rejects(session.run([1]), { code: 'unavailable' })
    using again = first.open()
    t.equal(again.position, 0)
  })

  t.test(`${kind}: sessions and windows do not disturb each other`, async t => {
    const { init } = await convert(t, 'tiny-whisper')
    await using model = await (await createEngine(kind)).loadSpeech(init({ sessionsPerWindow: 2 }))
    using loud = await model.hear(waves())
    using quiet = await model.hear(waves().map(value => value / 8 - 1))
    const sessions = [loud.open(), loud.open(), quiet.open()] as const
    const steps = async (session: SpeechSession, tokens: readonly number[]): Promise<Float32Array> => {
      let logits = new Float32Array(0)
      for (const token of tokens) logits = new Float32Array(await session.run([token]))
      return logits
    }
    const texts = [
      [301, 302, 306, 5],
      [301, 303, 305, 9, 11],
      [301, 302, 306, 5]
    ] as const
    const together = await Promise.all(texts.map((tokens, index) => steps(sessions[index] ?? sessions[0], tokens)))
    for (const session of sessions) session[Symbol.dispose]()
    for (const [index, tokens] of texts.entries()) {
      using alone = (index === 2 ? quiet : loud).open()
      t.same(await steps(alone, tokens), together[index], 'to the last bit')
    }
    t.ok(errorMaxOf(together[0] ?? waves(), together[2] ?? waves()) > 0.01, 'another sound gives other logits')
  })

  t.test(`${kind}: an aborted run ends with its reason, and the session serves on`, async t => {
    const { init } = await convert(t, 'tiny-whisper')
    const model = await (await createEngine(kind)).loadSpeech(init())
    using window = await model.hear(waves())
    using session = window.open()
    const prompt = reference.tokens.slice(0, 4)
    await session.run(prompt)
    const controller = new AbortController()
    const long = session.run(new Array(440).fill(7), { signal: controller.signal, logits: 'all' })
    const heard = model.hear(waves(), { signal: controller.signal })
    controller.abort(new MeshError('canceled', 'enough'))
    await t.rejects(long, { message: 'enough' })
    await t.rejects(heard, { message: 'enough' })
    await t.rejects(session.run([7], { signal: controller.signal }), { message: 'enough' })
    t.equal(model.windowsOpen, 1)
    t.equal(session.position, prompt.length)
    const next = await session.run([311])
    const [row, size] = [prompt.length, model.config.vocabularySize]
    compareLogits(t, next, wantedLogits.subarray(row * size, (row + 1) * size), 'as if nothing had been')
    const left = t.rejects(
      session.run(new Array(400).fill(7)),
      { code: 'unavailable' },
      'disposal ends what is under way'
    )
    await model[Symbol.asyncDispose]()
    await left
    await model[Symbol.asyncDispose]()
    await t.rejects(model.hear(waves()), { code: 'unavailable' })
    await t.rejects(session.run([1]), { code: 'unavailable' })
  })

  t.test(`${kind}: a session that is closed while it runs frees nothing too early`, async t => {
    const { init } = await convert(t, 'tiny-whisper')
    await using model = await (await createEngine(kind)).loadSpeech(init())
    const window = await model.hear(waves())
    const running = window.open().run(new Array(448).fill(7))
    window[Symbol.dispose]()
    await t.rejects(running, { code: 'unavailable' })
    t.equal(model.windowsOpen, 0)
    using other = await begun(model, reference.tokens)
    compareLogits(t, other.logits, wantedLogits.subarray(-model.config.vocabularySize), 'another window')
  })

  t.test(`${kind}: damaged weights give an error and no text, and the session serves on`, async t => {
    const { manifest, init } = await convert(t, 'tiny-whisper')
    const { embedding, config } = manifest
    const table = embedding.tensors.find(({ name }) => name === 'text_positions')
    if (table === undefined || 'scales' in table) throw new Error('there are no positions')
    const folder = t.testdir()
    const damaged = join(folder, 'damaged')
    const bytes = await readFile(init().weightPath(embedding))
    const place = 7
    bytes.writeFloatLE(Number.NaN, table.data.offset + 4 * place * config.hiddenSize)
    await writeFile(damaged, bytes)
    const weightPath = (file: WeightFile): string => (file === embedding ? damaged : init().weightPath(file))
    await using model = await (await createEngine(kind)).loadSpeech(init({ weightPath }))
    using window = await model.hear(waves())
    using session = window.open()
    const { tokens } = reference
    await session.run(tokens.slice(0, place))
    await t.rejects(session.run(tokens.slice(place)), { code: 'engine_failed', message: /no numbers/ })
    t.equal(session.position, place)
    session.truncate(place - 1)
    const row = wantedLogits.subarray((place - 1) * config.vocabularySize, place * config.vocabularySize)
    compareLogits(t, await session.run(tokens.slice(place - 1, place)), row, 'before what is damaged')
  })

  t.test(`${kind}: a model that cannot be loaded says why`, async t => {
    const { manifest, init } = await convert(t, 'tiny-whisper')
    const engine = await createEngine(kind)
    const [first, ...others] = manifest.layers
    if (first === undefined) throw new Error('there are no layers')
    const lacking = { ...manifest, layers: [{ ...first, tensors: first.tensors.slice(1) }, ...others] }
    await t.rejects(engine.loadSpeech(init({ manifest: lacking })), { code: 'model_invalid' })
    await t.rejects(engine.loadSpeech(init({ weightPath: () => '/nowhere' })), { code: 'engine_failed' })
    const aborted = AbortSignal.abort(new MeshError('canceled', 'enough'))
    await t.rejects(engine.loadSpeech(init(), { signal: aborted }), { message: 'enough' })
  })
}

/** A text of a window of its own, and the logits of its last token. */
async function begun(model: SpeechModel, tokens: readonly number[]) {
  const window = await model.hear(waves())
  const session = window.open()
  return { logits: await session.run(tokens), [Symbol.dispose]: () => window[Symbol.dispose]() }
}
