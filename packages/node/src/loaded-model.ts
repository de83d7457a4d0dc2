import { readFile } from 'node:fs/promises'
import { MelThread } from '@resultity/audio'
import { captionMemory } from '@resultity/blip'
import { diffusionMemory } from '@resultity/diffusion-model'
import {
  type BarkVoice,
  type Encoder,
  type Engine,
  measureCaptioner,
  measureDiffusion,
  measureEncoder,
  measureSpeech,
  measureStage,
  measureVoice,
  type PictureReader,
  type SpeechModel,
  type Spinning,
  type Stage,
  type StageMeasurement,
  type Voice
} from '@resultity/engine'
import {
  type BarkManifest,
  type BlobRef,
  type Captioner,
  type CaptionManifest,
  type DecoderManifest,
  type DiffusionManifest,
  type DiffusionModel,
  type DiffusionSection,
  type EncoderManifest,
  isBark,
  isCaptioner,
  isDiffusion,
  isEncoder,
  isSpeech,
  isVoice,
  MeshError,
  type ModelManifest,
  requireDecoder,
  type Scheduler,
  type SpeechManifest,
  sectionsWithin,
  stageFiles,
  type VoiceManifest,
  type WeightFile,
  weightFiles
} from '@resultity/interface'
import { encoderMemory, stageMemory } from '@resultity/model'
import type { ConstraintCompiler } from '@resultity/sampling'
import type { TokenBytes } from '@resultity/speech'
import { loadVocabulary, readTokenBytes } from '@resultity/tokenizer'
import { barkMemory, voiceMemory } from '@resultity/voice'
import { speechMemory } from '@resultity/whisper'
import { AnswerConstraints } from './answer-constraints.ts'
import type { Assignment, StageProgress } from './assignment.ts'
import { TextCache } from './text-cache.ts'

interface Ready {
  /** Measurement for the coordinator's planner; of an encoder's, a token counts as a decode step, of a voice's a phoneme, of pictures' a position of the latents. */
  readonly measurement: StageMeasurement
  readonly memoryBytes: number
}

/** A stage that serves, with its own measurements. */
export interface ReadyStage extends Ready {
  readonly kind: 'stage'
  readonly stage: Stage
  readonly manifest: DecoderManifest
  /** Of the first stage of a model that reads pictures. */
  readonly reader: PictureReader | undefined
  /** Constraints of answers that the last stage samples. */
  readonly constraints: AnswerConstraints
}

/** A whole encoder that serves. */
export interface ReadyEncoder extends Ready {
  readonly kind: 'encoder'
  readonly encoder: Encoder
  readonly manifest: EncoderManifest
}

/** A whole speech model that serves. */
export interface ReadySpeech extends Ready {
  readonly kind: 'speech'
  readonly speech: SpeechModel
  readonly manifest: SpeechManifest
  readonly bytesOf: TokenBytes
  readonly spectrograms: MelThread
}

/** A voice that serves. */
export interface ReadyVoice extends Ready {
  readonly kind: 'voice'
  readonly voice: Voice | BarkVoice
  readonly manifest: VoiceManifest | BarkManifest
}

/** A whole model that says what pictures show, and serves. */
export interface ReadyCaptioner extends Ready {
  readonly kind: 'captioner'
  readonly captioner: Captioner
  readonly manifest: CaptionManifest
}

/** A model that draws pictures, or sections of one, and serves. */
export interface ReadyDiffusion extends Ready {
  readonly kind: 'diffusion'
  readonly diffusion: DiffusionModel
  readonly manifest: DiffusionManifest
  readonly sections: ReadonlySet<DiffusionSection>
  readonly texts: TextCache
}

/** A model that takes jobs. */
export type ReadyWhole = ReadyEncoder | ReadySpeech | ReadyVoice | ReadyCaptioner | ReadyDiffusion

export type LoadedModel = ReadyStage | ReadyWhole

/** The files that `assignment` needs, and bytes of memory in all. */
export function needsOf(manifest: ModelManifest, assignment: Assignment): { files: BlobRef[]; bytes: number } {
  if (isEncoder(manifest)) {
    const { weightBytes, workBytes } = encoderMemory(manifest)
    return { files: weightFiles(manifest), bytes: weightBytes + workBytes }
  }
  if (isSpeech(manifest)) {
    const memory = speechMemory({ manifest, windowsMax: assignment.sessionsMax, sessionsPerWindow: 1 })
    return {
      // words are made of texts of tokens
      files: [...weightFiles(manifest), manifest.tokenizer.definition],
      bytes: memory.weightBytes + memory.cacheBytes + memory.workBytes
    }
  }
  if (isVoice(manifest)) {
    const { weightBytes, workBytes } = voiceMemory(manifest)
    return { files: weightFiles(manifest), bytes: weightBytes + workBytes }
  }
  if (isBark(manifest)) {
    const { weightBytes, workBytes } = barkMemory(manifest)
    return { files: weightFiles(manifest), bytes: weightBytes + workBytes }
  }
  if (isDiffusion(manifest)) {
    const { first, end } = assignment.range
    const { weightBytes, workBytes } = diffusionMemory(manifest, assignment.range)
    return { files: manifest.layers.slice(first, end), bytes: weightBytes + workBytes }
  }
  if (isCaptioner(manifest)) {
    const { weightBytes, cacheBytes, workBytes } = captionMemory({ manifest, picturesMax: assignment.sessionsMax })
    return { files: weightFiles(manifest), bytes: weightBytes + cacheBytes + workBytes }
  }
  const { range } = assignment
  const decoder = requireDecoder(manifest)
  const { weightBytes, kvBytes, sightBytes = 0 } = stageMemory({ manifest: decoder, ...assignment })
  const files = stageFiles(decoder, range)
  // only the last stage meets tokens as texts
  const samples = range.end === decoder.layers.length
  return {
    files: samples ? [...files, decoder.tokenizer.definition] : files,
    bytes: weightBytes + kvBytes + sightBytes
  }
}

export interface LoadInit {
  /** Compiler of constraints, shared by the whole node. */
  readonly compiler: ConstraintCompiler
  readonly manifest: ModelManifest
  readonly assignment: Assignment
  readonly memoryBytes: number
  readonly threads: number
  readonly spinning: Spinning
  readonly workDir: string
  /** Path by SHA-256 of every file. */
  readonly paths: ReadonlyMap<string, string>
  readonly onProgress: (state: StageProgress) => void
  readonly signal: AbortSignal
  readonly scheduler: Scheduler
}

/**
 * Builds and measures what `init.assignment` asks for.
 *
 * @throws MeshError `engine_failed`, `model_invalid`; the reason of the signal; nothing is left loaded
 */
export async function loadModel(engine: Engine, init: LoadInit): Promise<LoadedModel> {
  const { manifest, threads, spinning, workDir, signal, scheduler, onProgress, memoryBytes, paths } = init
  const weightPath = (file: WeightFile): string => requirePath(paths, file.sha256)
  const common = { threads, spinning, workDir, weightPath }
  onProgress('building')
  if (isEncoder(manifest)) {
    const encoder = await engine.loadEncoder({ ...common, manifest }, { signal })
    return measured(encoder, onProgress, async () => {
      const { msPerTokenLayer } = await measureEncoder(encoder, { signal })
      const pace = { decodeMsPerLayer: msPerTokenLayer, prefillMsPerPositionLayer: msPerTokenLayer }
      const measurement = { ...pace, fixedMs: 0, digest: '' }
      return { kind: 'encoder', encoder, manifest, measurement, memoryBytes }
    })
  }
  if (isSpeech(manifest)) return await loadSpeech(engine, { ...init, manifest })
  if (isVoice(manifest)) {
    const voice = await engine.loadVoice({ ...common, manifest }, { signal })
    return measured(voice, onProgress, async () => {
      const { msPerPhoneme } = await measureVoice(voice, { signal })
      const pace = { decodeMsPerLayer: msPerPhoneme, prefillMsPerPositionLayer: msPerPhoneme }
      return { kind: 'voice', voice, manifest, measurement: { ...pace, fixedMs: 0, digest: '' }, memoryBytes }
    })
  }
  if (isBark(manifest)) {
    const voice = await engine.loadBark({ ...common, manifest }, { signal })
    return measured(voice, onProgress, async () => {
      const msPerToken = (await voice.measure({ signal })) / manifest.layers.length
      const pace = { decodeMsPerLayer: msPerToken, prefillMsPerPositionLayer: msPerToken }
      return { kind: 'voice', voice, manifest, measurement: { ...pace, fixedMs: 0, digest: '' }, memoryBytes }
    })
  }
  if (isDiffusion(manifest)) {
    const { range } = init.assignment
    const sections = sectionsWithin(manifest, range)
    const diffusion = await engine.loadDiffusion({ ...common, manifest, range }, { signal })
    return measured(diffusion, onProgress, async () => {
      const { msPerPosition, digest } = await measureDiffusion(diffusion, { signal, sections })
      const msPerLayer = msPerPosition / manifest.layers.length
      const pace = { decodeMsPerLayer: msPerLayer, prefillMsPerPositionLayer: msPerLayer }
      const measurement = { ...pace, fixedMs: 0, digest }
      return { kind: 'diffusion', diffusion, manifest, sections, texts: new TextCache(), measurement, memoryBytes }
    })
  }
  if (isCaptioner(manifest)) {
    const picturesMax = init.assignment.sessionsMax
    const captioner = await engine.loadCaptioner({ ...common, manifest, picturesMax }, { signal })
    return measured(captioner, onProgress, async () => {
      const { msPerTokenLayer } = await measureCaptioner(captioner, { signal })
      const pace = { decodeMsPerLayer: msPerTokenLayer, prefillMsPerPositionLayer: msPerTokenLayer }
      return { kind: 'captioner', captioner, manifest, measurement: { ...pace, fixedMs: 0, digest: '' }, memoryBytes }
    })
  }
  const { range, contextLength, sessionsMax } = init.assignment
  const decoder = requireDecoder(manifest)
  const stageInit = { ...common, manifest: decoder, range, contextLength, sessionsMax }
  await using loading = new AsyncDisposableStack()
  const stage = loading.use(await engine.loadStage(stageInit, { signal }))
  const reads = range.first === 0 && decoder.sight !== undefined
  const reader = reads ? loading.use(await engine.loadPictureReader(stageInit, { signal })) : undefined
  const loaded = loading.move()
  return measured({ [Symbol.asyncDispose]: () => loaded.disposeAsync() }, onProgress, async () => {
    const own = await measureStage(stage, { signal, scheduler })
    const measurement = reader === undefined ? own : { ...own, digest: await reader.digestWith(own.digest, { signal }) }
    const { definition } = decoder.tokenizer
    const constraints = new AnswerConstraints(init.compiler, () =>
      loadVocabulary(decoder, requirePath(paths, definition.sha256))
    )
    return { kind: 'stage', stage, manifest: decoder, reader, measurement, memoryBytes, constraints }
  })
}

async function loadSpeech(
  engine: Engine,
  init: LoadInit & { readonly manifest: SpeechManifest }
): Promise<LoadedModel> {
  const { manifest, threads, spinning, workDir, signal, onProgress, memoryBytes, paths, assignment } = init
  const weightPath = (file: WeightFile): string => requirePath(paths, file.sha256)
  const windowsMax = assignment.sessionsMax
  const speech = await engine.loadSpeech(
    { manifest, threads, spinning, workDir, weightPath, windowsMax, sessionsPerWindow: 1 },
    { signal }
  )
  return await measured(speech, onProgress, async () => {
    const { msPerTokenLayer } = await measureSpeech(speech, { signal })
    const pace = { decodeMsPerLayer: msPerTokenLayer, prefillMsPerPositionLayer: msPerTokenLayer }
    const definition = await readFile(requirePath(paths, manifest.tokenizer.definition.sha256), { signal })
    const bytes = readTokenBytes(definition, manifest.config.vocabularySize)
    const measurement = { ...pace, fixedMs: 0, digest: '' }
    const bytesOf: TokenBytes = token => bytes[token]
    // its thread starts with the first job
    const spectrograms = new MelThread(init.scheduler)
    return { kind: 'speech', speech, manifest, bytesOf, spectrograms, measurement, memoryBytes }
  })
}

async function measured(
  loaded: AsyncDisposable,
  onProgress: (state: StageProgress) => void,
  measure: () => Promise<LoadedModel>
): Promise<LoadedModel> {
  try {
    onProgress('testing')
    return await measure()
  } catch (error) {
    await loaded[Symbol.asyncDispose]()
    throw error
  }
}

function requirePath(paths: ReadonlyMap<string, string>, sha256: string): string {
  const path = paths.get(sha256)
  if (path === undefined) throw new MeshError('blob_not_found', `weight file ${sha256} was not fetched`)
  return path
}

/** Frees it. Resolves once its memory is free. */
export async function unloadModel(loaded: LoadedModel): Promise<void> {
  if (loaded.kind === 'stage') {
    loaded.constraints[Symbol.dispose]()
    await loaded.reader?.[Symbol.asyncDispose]()
  }
  if (loaded.kind === 'speech') await loaded.spectrograms[Symbol.asyncDispose]()
  await runsOf(loaded)[Symbol.asyncDispose]()
}

function runsOf(loaded: LoadedModel): AsyncDisposable {
  switch (loaded.kind) {
    case 'stage':
      return loaded.stage
    case 'encoder':
      return loaded.encoder
    case 'speech':
      return loaded.speech
    case 'voice':
      return loaded.voice
    case 'captioner':
      return loaded.captioner
    case 'diffusion':
      return loaded.diffusion
  }
}
