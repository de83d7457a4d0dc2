import type { FileBlobStore } from '@resultity/blobs'
import {
  type AbortOptions,
  isBark,
  isCaptioner,
  isDiffusion,
  isEncoder,
  isServedWhole,
  isSpeech,
  isVoice,
  MeshError,
  type ModelManifest,
  type Quantize,
  SENTENCE_IDS_MAX
} from '@resultity/interface'
import { type HubAccess, hubOptions, type ImportOptions, importModel, parseModelReference } from '@resultity/model'
import type { ServedModel } from '@resultity/placement'
import { loadEncoderTokenizer, loadTokenizer, PicturePromptEncoder, PromptEncoder } from '@resultity/tokenizer'
import { DEFAULT_CONTEXT_LENGTH_MAX, DEFAULT_IMPORT_MAX_BYTES, DEFAULT_SESSIONS_MAX } from './settings.ts'

/** Tokens of one text for a voice that reads tokens: some for each of its 4,096 characters. */
const INPUT_TOKENS_MAX = 16_384

/** How far the import of a model is, as `@resultity/model` reports it. */
export type ModelProgress = Parameters<NonNullable<ImportOptions['onProgress']>>[0]

export interface LoadModelInit {
  readonly dataDir: string
  readonly store: FileBlobStore
  /** Positions of one KV slot; the default is the model's own, up to {@link DEFAULT_CONTEXT_LENGTH_MAX}. */
  readonly contextLength?: number
  readonly sessionsMax?: number
  /** The hub that models come from. Default: the public one, without a token. */
  readonly hub?: HubAccess | undefined
  /** See {@link ModelSettings.importMaxBytes}. */
  readonly importMaxBytes?: number | undefined
  /** See {@link ModelSettings.quantize}. */
  readonly quantize?: Quantize | undefined
  readonly nowMs: number
  readonly onProgress?: (progress: ModelProgress) => void
}

/**
 * Imports a model, unless it was imported before, and makes it ready to be served.
 *
 * @throws MeshError as `importModel` does; `settings_invalid` when the context is longer than the model's own
 */
export async function loadModel(
  reference: string,
  init: LoadModelInit,
  options: AbortOptions = {}
): Promise<ServedModel> {
  const { dataDir, store, onProgress, importMaxBytes = DEFAULT_IMPORT_MAX_BYTES } = init
  const { manifest, manifestSha256 } = await importModel(parseModelReference(reference), {
    dataDir,
    store,
    hub: hubOptions(init.hub ?? {}),
    describeFrom: importMaxBytes + 1,
    quantize: init.quantize,
    ...options,
    ...(onProgress === undefined ? {} : { onProgress })
  })
  const modelMax = inputMaxOf(manifest)
  // the setting is for answers; others take inputs as long as they were made for
  const wanted = isServedWhole(manifest) ? modelMax : init.contextLength
  const contextLength = wanted ?? Math.min(modelMax, DEFAULT_CONTEXT_LENGTH_MAX)
  if (contextLength > modelMax) {
    const message = `a context of ${contextLength} was asked for, and ${manifest.name} was made for ${modelMax}`
    throw new MeshError('settings_invalid', message, { hint: 'Lower the context length, or leave it out.' })
  }
  const manifestBytes = (await store.read(manifestSha256, options)).length
  const sessionsMax = init.sessionsMax ?? DEFAULT_SESSIONS_MAX
  const served = {
    id: manifest.name,
    aliases: reference === manifest.name ? [] : [reference],
    placeable: { name: manifest.name, manifest, manifestSha256, manifestBytes, contextLength, sessionsMax },
    createdAt: Math.floor(init.nowMs / 1000)
  }
  if (isEncoder(manifest)) {
    const tokenizer = await loadEncoderTokenizer(manifest, store, options)
    const { classifier } = manifest.config
    return classifier === undefined
      ? { ...served, kind: 'encoder', tokenizer }
      : { ...served, kind: 'classifier', tokenizer, classifier }
  }
  if (isSpeech(manifest)) {
    return { ...served, kind: 'speech', tokenizer: await loadTokenizer(manifest, store, options) }
  }
  if (isVoice(manifest)) return { ...served, kind: 'voice', config: manifest.config }
  if (isBark(manifest)) {
    const { config, tokenizer: files } = manifest
    const { inputVocabularySize, textOffset } = config.semantic
    // of the whole text: sentences are cut by their tokens
    const limits = { vocabularySize: inputVocabularySize - textOffset, contextLength: INPUT_TOKENS_MAX }
    const tokenizer = await loadEncoderTokenizer({ tokenizer: files, config: limits }, store, options)
    return { ...served, kind: 'voice', config, tokenizer }
  }
  if (isDiffusion(manifest)) {
    const prompts = await PicturePromptEncoder.open(manifest, store, options)
    return { ...served, kind: 'diffusion', config: manifest.config, prompts }
  }
  if (isCaptioner(manifest)) {
    const { config } = manifest
    const limits = { vocabularySize: config.vocabularySize, contextLength: config.textContext }
    const tokenizer = await loadEncoderTokenizer({ tokenizer: manifest.tokenizer, config: limits }, store, options)
    return { ...served, kind: 'captioner', config, tokenizer }
  }
  const prompts = await PromptEncoder.open(manifest, contextLength, store, options)
  return { ...served, kind: 'decoder', tokenizer: prompts.tokenizer, prompts }
}

/** Tokens, or phonemes of a sentence, that a model takes at the most. */
function inputMaxOf(manifest: ModelManifest): number {
  if (isVoice(manifest)) return SENTENCE_IDS_MAX
  if (isBark(manifest)) return manifest.config.semantic.inputLength
  if (isDiffusion(manifest)) return manifest.config.textEncoders[0]?.length ?? 1
  return isSpeech(manifest) || isCaptioner(manifest) ? manifest.config.textContext : manifest.config.contextLength
}
