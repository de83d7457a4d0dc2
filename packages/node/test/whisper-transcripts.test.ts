import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AudioDecoder, MelThread } from '@resultity/audio'
import { FileBlobStore } from '@resultity/blobs'
import { createEngine } from '@resultity/engine'
import {
  MeshError,
  readTranscriptionResult,
  requireSpeech,
  SPEECH_SAMPLE_RATE,
  type TranscriptionJob,
  type TranscriptionResult,
  toPcm,
  weightFiles
} from '@resultity/interface'
import { convertModel, fetchModel, parseModelReference, readTokenizerFiles } from '@resultity/model'
import { textOf } from '@resultity/speech'
import { readTokenBytes } from '@resultity/tokenizer'
import t from 'tap'
import type { ReadySpeech } from '../src/loaded-model.ts'
import { runTranscriptionJob } from '../src/transcription-job.ts'

const packages = join(import.meta.dirname, '../../..')
/** Kept between runs of the tests, so that the model is downloaded once. */
const dataDir = join(packages, '../data/test')

/** Made by scripts/reference-speech.py. */
interface Reference {
  readonly cases: Readonly<Record<string, ReferenceCase>>
}

interface ReferenceCase {
  readonly prompt: number[]
  readonly segments: readonly {
    readonly seek: number
    readonly start: number
    readonly end: number
    readonly text: string
    readonly tokens: readonly number[]
    readonly averageLogprob: number
    readonly compressionRatio: number
    readonly noSpeech: number
  }[]
  readonly words: readonly {
    readonly seek: number
    readonly text: string
    readonly start: number
    readonly end: number
  }[]
}

/** As faster-whisper rounds times, and one position of the encoder. */
const SECONDS_OFF = 0.02 + 1e-6

async function fetchTiny(): Promise<string | MeshError> {
  try {
    return (await fetchModel(parseModelReference('whisper-tiny.en'), { dataDir })).path
  } catch (error) {
    if (error instanceof MeshError && error.code === 'model_unavailable') return error
    throw error
  }
}

t.test('whisper-tiny.en writes what faster-whisper writes', async t => {
  const path = await fetchTiny()
  if (path instanceof MeshError) {
    t.plan(0, `no source of whisper-tiny.en answered on this machine: ${path.message}`)
    return
  }
  const directory = await mkdtemp(join(tmpdir(), 'resultity-speech-'))
  const store = await FileBlobStore.open(directory)
  t.teardown(async () => {
    await store[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })
  const tokenizerFiles = await readTokenizerFiles(path)
  const converted = await convertModel(path, { store, name: 'whisper-tiny.en', tokenizerFiles })
  const manifest = requireSpeech(converted.manifest)
  const paths = new Map<string, string>()
  for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
  const workDir = join(directory, 'work')
  await mkdir(workDir)
  await using speech = await (await createEngine()).loadSpeech({
    manifest,
    threads: 2,
    spinning: false,
    windowsMax: 1,
    workDir,
    weightPath: ({ sha256 }) => paths.get(sha256) ?? ''
  })
  const bytes = readTokenBytes(tokenizerFiles.definition, manifest.config.vocabularySize)
  const bytesOf = (token: number) => bytes[token]
  await using spectrograms = new MelThread()
  const measurement = { decodeMsPerLayer: 0, prefillMsPerPositionLayer: 0, fixedMs: 0, digest: '' }
  const ready: ReadySpeech = { kind: 'speech', speech, manifest, bytesOf, spectrograms, measurement, memoryBytes: 0 }
  const hear = async (samples: Float32Array, changes: Partial<TranscriptionJob>): Promise<TranscriptionResult> => {
    const job = {
      pcm: toPcm(samples),
      task: 'transcribe',
      prompt: [],
      temperatures: [0],
      words: false,
      seed: 1
    } as const
    const result = readTranscriptionResult(
      await runTranscriptionJob(ready, { ...job, prompt: [], temperatures: [0], ...changes }, {})
    )
    if (result === undefined) throw new Error('no result')
    return result
  }
  const textOfTokens = (tokens: readonly number[]): string =>
    textOf(
      tokens.filter(token => token < manifest.config.tokens.endOfText),
      bytesOf
    )

  await using audio = new AudioDecoder()
  const file = await readFile(join(packages, 'audio/test/fixtures/jfk.mp3'))
  const { samples } = await audio.decode(new Uint8Array(file))
  const twice = new Float32Array(2 * samples.length + 2 * SPEECH_SAMPLE_RATE)
  twice.set(samples)
  twice.set(samples, samples.length + 2 * SPEECH_SAMPLE_RATE)
  const sounds: Readonly<Record<string, Float32Array>> = {
    'as it is': samples,
    twice,
    'behind a prompt': samples,
    'cut amid a word': samples.subarray(0, Math.trunc(5.3 * SPEECH_SAMPLE_RATE))
  }
  const { cases }: Reference = JSON.parse(await readFile(join(packages, 'speech/test/fixtures/tiny.en.json'), 'utf8'))
  for (const [name, { prompt, segments, words }] of Object.entries(cases)) {
    await t.test(`a recording ${name}`, async t => {
      const sound = sounds[name] ?? new Float32Array()
      const plain = await hear(sound, { prompt })
      t.strictSame(
        plain.segments.map(({ seek, tokens }) => [seek, tokens]),
        segments.map(({ seek, tokens }) => [seek, tokens])
      )
      t.strictSame(
        plain.segments.map(({ start, end, tokens }) => [start, end, textOfTokens(tokens)]),
        segments.map(({ start, end, text }) => [start, end, text])
      )
      for (const [index, reference] of segments.entries()) {
        const own = plain.segments[index]
        for (const [field, most] of [
          ['averageLogprob', 1e-2],
          ['compressionRatio', 0.1],
          ['noSpeech', 1e-3]
        ] as const) {
          const off = Math.abs((own?.[field] ?? Number.NaN) - reference[field])
          t.ok(off < most, `${field} of segment ${index} is off by ${off}`)
        }
      }
      const timed = await hear(sound, { prompt, words: true })
      t.strictSame(
        timed.segments.map(({ tokens }) => tokens),
        plain.segments.map(({ tokens }) => tokens),
        'the text is the same where words are timed'
      )
      // where the reference times words, its next windows begin elsewhere
      const inFirst = words.filter(({ seek }) => seek === 0)
      const own = timed.segments.filter(({ seek }) => seek === 0).flatMap(segment => segment.words ?? [])
      t.strictSame(
        own.map(({ tokens }) => textOfTokens(tokens)),
        inFirst.map(({ text }) => text)
      )
      const off = own.map(({ start, end }, index) =>
        Math.max(Math.abs(start - (inFirst[index]?.start ?? 99)), Math.abs(end - (inFirst[index]?.end ?? 99)))
      )
      t.ok(Math.max(...off) <= SECONDS_OFF, `words are off by ${Math.max(...off)} s`)
    })
  }
})
