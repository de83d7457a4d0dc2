import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { logMel, VoiceActivity, voiceOf } from '@resultity/audio'
import { FileBlobStore } from '@resultity/blobs'
import { createEngine, type SpeechSession } from '@resultity/engine'
import {
  isVoice,
  MeshError,
  type ModelManifest,
  requireSpeech,
  type WhisperConfig,
  weightFiles
} from '@resultity/interface'
import { convertModel, fetchModel, parseModelReference, readTokenizerFiles } from '@resultity/model'
import { argmax } from '@resultity/sampling'

const root = join(import.meta.dirname, '../..')
const whisperFixtures = join(root, 'packages/whisper/test/fixtures')
const audioFixtures = join(root, 'packages/audio/test/fixtures')
const voiceFixtures = join(root, 'test/fixtures/voices')
/** Where downloads of the catalogue's models lie once somebody has made them. */
const dataDir = join(root, 'data/test')

/** How a system that hears or speaks compares with its reference. */
export interface SpeechParity {
  readonly system: string
  readonly weights: 'tiny, random' | 'real'
  /** With its version, as the fixture names it. */
  readonly reference: string
  readonly compared: string
  readonly figures: string
  readonly green: boolean
}

/** A system, and how it is measured; `undefined` where its weights are not on this machine. */
export interface SpeechSystem {
  readonly system: string
  measure(): Promise<SpeechParity | undefined>
}

const COSINE_MIN = 0.9995
const LOGPROB_ERROR_MAX = 1e-2
const PROBABILITY_ERROR_MAX = 1e-4
/** Of a voice's waveform against its reference, in dB. */
const SIGNAL_TO_NOISE_MIN = 40
/** The same sound to an ear: 8-bit sums round otherwise on other processors, and phases with them. */
const SPECTRUM_COSINE_MIN = 0.98

/** Those whose weights are in the checkout. */
export const committedSystems: readonly SpeechSystem[] = [
  ...['tiny-whisper', 'tiny-whisper-ct2'].map(folder => ({
    system: folder === 'tiny-whisper' ? 'Whisper, of safetensors' : 'Whisper, of CTranslate2',
    measure: () => measureTinyWhisper(folder)
  })),
  { system: 'Silero VAD 5', measure: measureVoiceActivity }
]

/** Those of the catalogue, where they were fetched before. */
export const fetchedSystems: readonly SpeechSystem[] = [
  { system: 'whisper-tiny.en', measure: () => measureWhisper('whisper-tiny.en', 'tiny.en.json') },
  { system: 'whisper-base', measure: () => measureWhisper('whisper-base', 'base.json') },
  { system: 'piper-joe', measure: () => measureVoice('piper-joe') },
  { system: 'kokoro', measure: () => measureVoice('kokoro') }
]

async function readJson<T>(...path: string[]): Promise<T> {
  return JSON.parse(await readFile(join(...path), 'utf8'))
}

interface TinyWhisper {
  readonly made_by: string
  readonly tokens: readonly number[]
  /** f32 in base64, `[tokens, vocabulary]`. */
  readonly logits: string
}

async function measureTinyWhisper(folder: string): Promise<SpeechParity> {
  const reference = await readJson<TinyWhisper>(whisperFixtures, 'tiny-whisper.json')
  const bytes = Buffer.from(reference.logits, 'base64')
  const wanted = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
  // the reference's spectrogram is a formula
  const mel = Float32Array.from({ length: 80 * 3000 }, (_, index) => {
    const [bin, frame] = [Math.floor(index / 3000), index % 3000]
    return Math.sin(0.37 * bin + 0.011 * frame) * Math.cos(0.0023 * frame * (1 + (bin % 5)))
  })
  return await withModel(join(whisperFixtures, folder), async ({ manifest, ...init }) => {
    await using model = await (await createEngine()).loadSpeech({
      ...init,
      manifest: requireSpeech(manifest),
      windowsMax: 1
    })
    using window = await model.hear(mel)
    using session = window.open()
    const { vocabularySize } = model.config
    const found = await session.run(reference.tokens, { logits: 'all' })
    const rows = reference.tokens.map((_, at) => [at * vocabularySize, (at + 1) * vocabularySize] as const)
    const cosine = Math.min(...rows.map(([from, to]) => cosineOf(found.subarray(from, to), wanted.subarray(from, to))))
    return {
      system: folder === 'tiny-whisper' ? 'Whisper, of safetensors' : 'Whisper, of CTranslate2',
      weights: 'tiny, random',
      reference: reference.made_by,
      compared: `logits of ${rows.length} positions`,
      figures: `cosine ≥ ${floored(cosine)}`,
      green: found.length === wanted.length && cosine >= COSINE_MIN
    }
  })
}

interface VoiceReference {
  readonly voice: { readonly cases: readonly { readonly probabilities: readonly number[] }[] }
}

async function measureVoiceActivity(): Promise<SpeechParity> {
  const { voice } = await readJson<VoiceReference>(audioFixtures, 'reference.json')
  const wanted = voice.cases[0]?.probabilities ?? []
  const found = [...voiceOf(new VoiceActivity(), await wavSamples(join(audioFixtures, 'jfk.wav')))]
  const error = Math.max(...wanted.map((value, at) => Math.abs(value - (found[at] ?? 9))))
  return {
    system: 'Silero VAD 5',
    weights: 'real',
    reference: 'onnxruntime 1.32.0',
    compared: `speech in ${wanted.length} frames`,
    figures: `off by ${error < PROBABILITY_ERROR_MAX ? `< ${PROBABILITY_ERROR_MAX}` : error} at the most`,
    green: found.length === wanted.length && error < PROBABILITY_ERROR_MAX
  }
}

interface Recorded {
  readonly bins: number
  /** Those that are not silent. */
  readonly frames: number
  /** f16 in base64, `[bins, frames]`. */
  readonly mel: string
  readonly silence: number
}

interface Written {
  readonly made_by: string
  readonly prompt: readonly number[]
  readonly tokens: readonly number[]
  readonly avg_logprob: number
}

async function measureWhisper(name: string, file: string): Promise<SpeechParity | undefined> {
  const path = await fetchedBefore(name)
  if (path === undefined) return undefined
  const written = await readJson<Written>(whisperFixtures, file)
  const mel = spectrogramOf(await readJson<Recorded>(whisperFixtures, 'tiny.en.json'))
  return await withModel(path, async ({ manifest, ...init }) => {
    await using model = await (await createEngine()).loadSpeech({
      ...init,
      manifest: requireSpeech(manifest),
      windowsMax: 1
    })
    using window = await model.hear(mel)
    using session = window.open()
    const { tokens, averageLogprob } = await decodeGreedily(session, written.prompt, model.config)
    const same = tokens.filter((token, at) => token === written.tokens[at]).length
    const error = Math.abs(averageLogprob - written.avg_logprob)
    return {
      system: name,
      weights: 'real',
      reference: written.made_by,
      compared: 'greedy tokens of 11 s of speech',
      figures: `${same} of ${written.tokens.length} the same; log-probability off by ${error.toFixed(4)}`,
      green: String(tokens) === String(written.tokens) && error < LOGPROB_ERROR_MAX
    }
  })
}

function spectrogramOf({ bins, frames, mel, silence }: Recorded): Float32Array {
  const bytes = Buffer.from(mel, 'base64')
  const heard = new Float16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
  const window = new Float32Array(bins * 3000).fill(silence)
  for (let bin = 0; bin < bins; bin++) window.set(heard.subarray(bin * frames, (bin + 1) * frames), bin * 3000)
  return window
}

/** What is most likely, again and again, without what the model never writes. */
async function decodeGreedily(
  session: SpeechSession,
  prompt: readonly number[],
  { suppress, suppressAtBegin, textContext, tokens: { endOfText: end } }: WhisperConfig
): Promise<{ readonly tokens: readonly number[]; readonly averageLogprob: number }> {
  const tokens: number[] = []
  let sum = 0
  let logits = await session.run(prompt)
  while (prompt.length + tokens.length < textContext) {
    for (const token of [...suppress, ...(tokens.length === 0 ? suppressAtBegin : [])]) logits[token] = -Infinity
    const best = argmax(logits)
    const most = logits[best] ?? 0
    sum -= Math.log(logits.reduce((total, logit) => total + Math.exp(logit - most), 0))
    if (best === end) break
    tokens.push(best)
    logits = await session.run([best])
  }
  return { tokens, averageLogprob: sum / (tokens.length + 1) }
}

/** Made by scripts/reference-voices.py. */
interface Voices {
  readonly made_by: string
  readonly voices: Readonly<
    Record<string, { readonly ids: readonly number[]; readonly lengthScale: number; readonly speaker?: string }>
  >
}

async function measureVoice(name: string): Promise<SpeechParity | undefined> {
  const path = await fetchedBefore(name)
  const { made_by: madeBy, voices } = await readJson<Voices>(voiceFixtures, 'voices.json')
  const said = voices[name]
  if (path === undefined || said === undefined) return undefined
  const wanted = await wavSamples(join(voiceFixtures, `${name}.wav`))
  return await withModel(path, async ({ manifest, ...init }) => {
    if (!isVoice(manifest)) throw new Error(`${name} is no voice`)
    const quiet =
      manifest.architecture === 'piper'
        ? { ...manifest, config: { ...manifest.config, noiseScale: 0, noiseWidth: 0 } }
        : manifest
    await using voice = await (await createEngine()).loadVoice({ ...init, manifest: quiet })
    const { ids, lengthScale, speaker } = said
    const who = speaker === undefined ? {} : { speaker: manifest.config.speakers[speaker] ?? -1 }
    const found = await voice.say({ phonemeIds: [...ids], lengthScale, ...who })
    const [decibels, cosine] = [signalToNoise(found, wanted), cosineOf(logMel(found, 80), logMel(wanted, 80))]
    const sameLength = Math.abs(found.length - wanted.length) <= 0.02 * wanted.length
    const exact = manifest.architecture === 'piper'
    return {
      system: name,
      weights: 'real',
      reference: madeBy,
      compared: `${(wanted.length / manifest.config.sampleRate).toFixed(1)} s of speech`,
      figures: exact
        ? `${Math.floor(decibels)} dB of signal to noise`
        : `cosine of spectra ≥ ${floored(cosine)}; ${Math.floor(decibels)} dB`,
      green: exact ? decibels >= SIGNAL_TO_NOISE_MIN : sameLength && cosine >= SPECTRUM_COSINE_MIN
    }
  })
}

/** In dB; -∞ for recordings of different lengths. */
function signalToNoise(found: Float32Array, wanted: Float32Array): number {
  if (found.length !== wanted.length) return -Infinity
  const signal = wanted.reduce((sum, sample) => sum + sample ** 2, 0)
  const noise = found.reduce((sum, sample, at) => sum + (sample - (wanted[at] ?? 0)) ** 2, 0)
  return 10 * Math.log10(signal / noise)
}

/** The samples of a file with 16 bits and one channel, whose header has 44 bytes. */
async function wavSamples(path: string): Promise<Float32Array<ArrayBuffer>> {
  const bytes = new Uint8Array(await readFile(path))
  return Float32Array.from(new Int16Array(bytes.buffer.slice(44)), sample => sample / 32_768)
}

/** Rounded down to five digits: processors differ in the seventh. */
function floored(cosine: number): string {
  return (Math.floor(cosine * 1e5) / 1e5).toFixed(5)
}

interface ConvertedModel {
  readonly manifest: ModelManifest
  readonly threads: number
  readonly spinning: false
  readonly workDir: string
  weightPath(file: { readonly sha256: string }): string
}

async function withModel<T>(path: string, work: (model: ConvertedModel) => Promise<T>): Promise<T> {
  const workDir = await mkdtemp(join(tmpdir(), 'speech-parity-'))
  try {
    await using store = await FileBlobStore.open(workDir)
    // a voice has no tokenizer
    const tokenizerFiles = await readTokenizerFiles(path).catch(() => undefined)
    const { manifest } = await convertModel(path, { store, name: 'model', tokenizerFiles })
    const paths = new Map<string, string>()
    for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
    const weightPath = ({ sha256 }: { readonly sha256: string }): string => paths.get(sha256) ?? ''
    return await work({ manifest, threads: 2, spinning: false, workDir, weightPath })
  } finally {
    await rm(workDir, { recursive: true, force: true })
  }
}

/** A model's folder, if it is on this machine; nothing is downloaded. */
async function fetchedBefore(name: string): Promise<string | undefined> {
  try {
    // no hub listens there, and neither pip nor npm is called
    const hub = { hubUrl: 'http://127.0.0.1:9', retryMs: 0 }
    const none = { pip: { pipCommands: [] }, npm: { npmCommands: [] } }
    return (await fetchModel(parseModelReference(name), { dataDir, hub, ...none })).path
  } catch (error) {
    if (error instanceof MeshError && error.code === 'model_unavailable') return undefined
    throw error
  }
}

function cosineOf(a: Float32Array, b: Float32Array): number {
  let [dot, lengthA, lengthB] = [0, 0, 0]
  for (const [at, x] of a.entries()) {
    const y = b[at] ?? 0
    dot += x * y
    lengthA += x * x
    lengthB += y * y
  }
  return dot / Math.sqrt(lengthA * lengthB)
}
