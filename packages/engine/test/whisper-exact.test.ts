import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { MeshError, requireSpeech, type WhisperConfig, weightFiles } from '@resultity/interface'
import { convertModel, fetchModel, parseModelReference, readTokenizerFiles } from '@resultity/model'
import { argmax } from '@resultity/sampling'
import { createTokenizer } from '@resultity/tokenizer'
import t from 'tap'
import { createEngine, type SpeechSession } from '../src/index.ts'

const fixtures = join(import.meta.dirname, '../../../whisper/test/fixtures')
/** Kept between runs of the tests, so that the model is downloaded once. */
const dataDir = join(import.meta.dirname, '../../../../data/test')

/** A recording of 11 s as faster-whisper hears it: see scripts/reference-whisper.py. */
interface Recorded {
  readonly bins: number
  /** Those that are not silent. */
  readonly frames: number
  /** f16 in base64, `[bins, frames]`. */
  readonly mel: string
  readonly silence: number
}

/** What CTranslate2 makes of it. */
interface Written {
  readonly prompt: readonly number[]
  readonly tokens: readonly number[]
  /** Mean log-probability of the tokens and of the end behind them. */
  readonly avg_logprob: number
  readonly text: string
}

async function fetchWhisper(name: string): Promise<string | MeshError> {
  try {
    return (await fetchModel(parseModelReference(name), { dataDir })).path
  } catch (error) {
    if (error instanceof MeshError && error.code === 'model_unavailable') return error
    throw error
  }
}

const FRAMES = 3000

function spectrogram({ bins, frames, mel, silence }: Recorded): Float32Array {
  const bytes = Buffer.from(mel, 'base64')
  const heard = new Float16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
  const window = new Float32Array(bins * FRAMES).fill(silence)
  for (let bin = 0; bin < bins; bin++) window.set(heard.subarray(bin * frames, (bin + 1) * frames), bin * FRAMES)
  return window
}

interface Decoded {
  readonly tokens: number[]
  readonly avgLogprob: number
}

/** What is most likely, again and again, without what the model never writes. */
async function decodeGreedily(
  session: SpeechSession,
  prompt: readonly number[],
  { suppress, suppressAtBegin, tokens: { endOfText: end } }: WhisperConfig
): Promise<Decoded> {
  const tokens: number[] = []
  let sum = 0
  let logits = await session.run(prompt)
  for (;;) {
    for (const token of [...suppress, ...(tokens.length === 0 ? suppressAtBegin : [])]) logits[token] = -Infinity
    const best = argmax(logits)
    const most = logits[best] ?? 0
    sum -= Math.log(logits.reduce((total, logit) => total + Math.exp(logit - most), 0))
    if (best === end) return { tokens, avgLogprob: sum / (tokens.length + 1) }
    tokens.push(best)
    logits = await session.run([best])
  }
}

const recorded: Recorded = JSON.parse(await readFile(join(fixtures, 'tiny.en.json'), 'utf8'))

const models = [
  { name: 'whisper-tiny.en', file: 'tiny.en.json', is: { multilingual: false, languages: {}, vocabularySize: 51_864 } },
  {
    name: 'whisper-base',
    file: 'base.json',
    is: { multilingual: true, languages: { en: 50_259 }, vocabularySize: 51_865 }
  }
]
for (const { name, file, is } of models) {
  const path = await fetchWhisper(name)
  const skip = path instanceof MeshError ? `${name} is not here and cannot be fetched: ${path.message}` : false

  t.test(`${name} hears in a recording what CTranslate2 hears, token by token`, { skip }, async t => {
    if (path instanceof MeshError) throw path
    const written: Written = JSON.parse(await readFile(join(fixtures, file), 'utf8'))
    const directory = await mkdtemp(join(tmpdir(), 'whisper-exact-'))
    const store = await FileBlobStore.open(directory)
    t.teardown(async () => {
      await store[Symbol.asyncDispose]()
      await rm(directory, { recursive: true, force: true })
    })
    const tokenizerFiles = await readTokenizerFiles(path)
    const converted = await convertModel(path, { store, name, tokenizerFiles })
    const manifest = requireSpeech(converted.manifest)
    const paths = new Map<string, string>()
    for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
    const { config } = manifest
    t.match(config, is)
    await using model = await (await createEngine()).loadSpeech({
      manifest,
      threads: 2,
      spinning: false,
      windowsMax: 1,
      weightPath: ({ sha256 }) => paths.get(sha256) ?? '',
      workDir: directory
    })
    using window = await model.hear(spectrogram(recorded))
    using session = window.open()
    const { prompt } = written
    const { tokens, avgLogprob } = await decodeGreedily(session, prompt, config)
    t.same(tokens, written.tokens)
    t.ok(Math.abs(avgLogprob - written.avg_logprob) < 1e-2, `${avgLogprob}, not ${written.avg_logprob}`)
    const limits = { vocabularySize: config.vocabularySize, contextLength: config.textContext }
    t.equal(createTokenizer(tokenizerFiles, limits).decode(tokens), written.text)

    const looks = await session.align([...prompt, ...tokens])
    const { audioContext, alignmentHeads } = config
    t.equal(looks.length, alignmentHeads.length * (prompt.length + tokens.length) * audioContext)
    for (let row = 0; row < looks.length; row += audioContext) {
      const sum = looks.subarray(row, row + audioContext).reduce((total, look) => total + look, 0)
      if (Math.abs(sum - 1) > 1e-3) t.fail(`row ${row / audioContext} has the sum ${sum}`)
    }
    // words come one after the other, and so do the places where their tokens look most
    const places = [0.25, 0.5, 0.75].map(share => {
      const row = prompt.length + Math.floor(share * tokens.length)
      const mean = Float32Array.from({ length: audioContext }, (_, frame) => {
        const looksOf = (head: number): number =>
          looks[(head * (prompt.length + tokens.length) + row) * audioContext + frame] ?? 0
        return alignmentHeads.reduce((total, _, head) => total + looksOf(head), 0)
      })
      return argmax(mean)
    })
    t.same(
      places,
      places.toSorted((a, b) => a - b),
      `places ${places}`
    )
  })
}
