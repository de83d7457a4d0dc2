import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { logMel } from '@resultity/audio'
import { FileBlobStore } from '@resultity/blobs'
import { createEngine, type SpeechModel } from '@resultity/engine'
import { decodePcm, requireSpeech, weightFiles } from '@resultity/interface'
import { importModel, parseModelReference, readTokenizerFiles } from '@resultity/model'
import { FRAMES_PER_POSITION, FRAMES_PER_SECOND, hearPiece, textOf } from '@resultity/speech'
import { readTokenBytes } from '@resultity/tokenizer'
import type { Heard } from './listener.ts'
import type { SpeechChildInit, SpeechChildReply, SpeechChildRequest } from './speech-messages.ts'

/** One process in which our engine hears alone. Started by `engine-listener.ts`. */

const RATE = 16_000

type Hear = (words: boolean) => Promise<Heard>

/** Loads the model and gives `serve` what hears the samples; all is released behind that. */
async function withEngine(init: SpeechChildInit, serve: (hear: Hear) => Promise<void>): Promise<void> {
  const workDir = await mkdtemp(join(tmpdir(), 'resultity-bench-'))
  try {
    await using store = await FileBlobStore.open(init.dataDir)
    const { manifest } = await importModel(parseModelReference(`file:${init.model}`), { dataDir: init.dataDir, store })
    const speechManifest = requireSpeech(manifest)
    const paths = new Map<string, string>()
    for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
    const engine = await createEngine('capi', { tuning: true })
    await using model = await engine.loadSpeech({
      manifest: speechManifest,
      threads: init.threads,
      // threads that spin between runs would take the cores from who is measured in turns with these
      spinning: 'run',
      windowsMax: 1,
      weightPath: file => paths.get(file.sha256) ?? '',
      workDir
    })
    const { definition } = await readTokenizerFiles(init.model)
    const bytes = readTokenBytes(definition, speechManifest.config.vocabularySize)
    const samples = decodePcm(await readFile(init.samples))
    await serve(words => measure(model, samples, token => bytes[token], words))
  } finally {
    await rm(workDir, { recursive: true, force: true })
  }
}

async function measure(
  model: SpeechModel,
  samples: Float32Array,
  bytesOf: (token: number) => Uint8Array | undefined,
  words: boolean
): Promise<Heard> {
  const { melBins, audioContext, tokens, multilingual } = model.config
  const [begun, width] = [performance.now(), FRAMES_PER_POSITION * audioContext]
  const frames = Math.min(width, Math.floor((FRAMES_PER_SECOND * samples.length) / RATE))
  const mel = { values: logMel(samples, melBins), bands: melBins, width, frames }
  const ready = performance.now()
  let encoderMs = 0
  const timed: Pick<SpeechModel, 'config' | 'hear'> = {
    config: model.config,
    async hear(window, options) {
      const from = performance.now()
      const heard = await model.hear(window, options)
      encoderMs += performance.now() - from
      return heard
    }
  }
  const { segments } = await hearPiece(timed, {
    mel,
    bytesOf,
    task: 'transcribe',
    // faster-whisper is told it too
    ...(multilingual ? { language: 'en' } : {}),
    prompt: [],
    temperatures: [0],
    words,
    chance: () => 0
  })
  const ms = performance.now() - ready
  const written = segments.flatMap(segment => segment.tokens).filter(token => token < tokens.endOfText)
  return {
    features: (ready - begun) / 1000,
    encoder: encoderMs / 1000,
    decoder: (ms - encoderMs) / 1000,
    text: textOf(written, bytesOf).trim()
  }
}

function reply(message: SpeechChildReply): void {
  process.send?.(message)
}

const init: SpeechChildInit = JSON.parse(process.argv[2] ?? '{}')
await withEngine(init, async hear => {
  const ended = Promise.withResolvers<void>()
  process.on('disconnect', () => ended.resolve())
  process.on('message', ({ words }: SpeechChildRequest) => {
    hear(words).then(
      heard => reply({ type: 'heard', heard }),
      (error: unknown) => reply({ type: 'failed', message: String(error) })
    )
  })
  reply({ type: 'ready' })
  await ended.promise
}).catch((error: unknown) => {
  reply({ type: 'failed', message: String(error) })
  process.exit(1)
})
process.exit(0)
