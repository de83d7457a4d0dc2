import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { IngestingBlobStore } from '@resultity/blobs'
import type { ClipTokenizer } from '@resultity/diffusion-model'
import {
  type AbortOptions,
  askedLayerCount,
  type BarkConfig,
  type BlipConfig,
  type BlobProgress,
  type BlobRef,
  type DecoderManifest,
  type DiffusionConfig,
  type DiffusionManifest,
  decoderManifestVersion,
  describeIssues,
  type EncoderConfig,
  type ErrorCode,
  type KokoroConfig,
  MeshError,
  type ModelConfig,
  type ModelManifest,
  type ModelRecipe,
  modelInvalid,
  modelManifestSchema,
  type PiperConfig,
  type Quantize,
  type SightConfig,
  safeParse,
  type WeightFile,
  type WhisperConfig
} from '@resultity/interface'

export interface TokenizerParts {
  /** A Hugging Face `tokenizer.json`. */
  readonly definition: Uint8Array
  /** A Hugging Face `tokenizer_config.json`. */
  readonly config: Uint8Array
  readonly endTokenIds: readonly number[]
}

export interface ConvertInit extends AbortOptions {
  readonly store: IngestingBlobStore
  /** Name in the manifest, by which clients ask for the model. */
  readonly name: string
  /** Of every model but a voice, and one that draws pictures. */
  readonly tokenizerFiles?: TokenizerParts | undefined
  /** Called before any weight is read; what it throws ends the conversion. */
  check?(description: ModelDescription): void
  /** Bytes of weight files written, of all that will be. */
  onProgress?(progress: BlobProgress): void
  /** Stores every matrix as f32, for comparison with a reference in full precision. Default false. */
  readonly dequantize?: boolean
  /** What becomes of a decoder's matrices of plain numbers. Default `auto`. */
  readonly quantize?: Quantize | undefined
}

export interface ConvertedModel {
  readonly manifest: ModelManifest
  /** The model's identity: SHA-256 of the manifest's JSON, which is in the store. */
  readonly manifestSha256: string
}

export interface ConvertWorkerInit {
  readonly path: string
  readonly dequantize: boolean
  readonly quantize: Quantize | undefined
}
/** What a model computes. */
export type ModelDescription =
  | { readonly architecture: 'llama' | 'decoder'; readonly config: ModelConfig; readonly sight?: SightConfig }
  | { readonly architecture: 'bert'; readonly config: EncoderConfig }
  | { readonly architecture: 'whisper'; readonly config: WhisperConfig }
  | { readonly architecture: 'blip'; readonly config: BlipConfig }
  | { readonly architecture: 'piper'; readonly config: PiperConfig }
  | { readonly architecture: 'kokoro'; readonly config: KokoroConfig }
  | { readonly architecture: 'bark'; readonly config: BarkConfig }
  | DiffusionDescription
/** What a model is that draws pictures, with what its manifest has of its folder beside the weights. */
export interface DiffusionDescription extends Pick<DiffusionManifest, 'parts'> {
  readonly architecture: 'diffusion'
  readonly config: DiffusionConfig
  readonly tokenizers: readonly Pick<ClipTokenizer, 'vocabulary' | 'merges'>[]
}
/** Asks for the next reply; the worker computes nothing that was not asked for. */
export type ConvertRequest = 'next'
export type WeightLayout = Omit<WeightFile, 'sha256'>
export type ConvertReply =
  | { readonly kind: 'plan'; readonly description: ModelDescription; readonly layouts: readonly WeightLayout[] }
  | { readonly kind: 'chunk'; readonly chunk: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'file-end' }
  | { readonly kind: 'failure'; readonly code: ErrorCode; readonly message: string; readonly hint: string | undefined }

/**
 * Converts a GGUF file or a Hugging Face folder into weight files and a manifest in the store. The same input gives the same
 * hashes. Runs in a worker thread and holds one matrix at a time; breaking off leaves nothing half-written behind.
 *
 * @throws MeshError `model_invalid` or `model_not_found` saying what is wrong and where; `canceled`
 */
export async function convertModel(path: string, init: ConvertInit): Promise<ConvertedModel> {
  await using worker = new ConvertWorker({ path, dequantize: init.dequantize ?? false, quantize: init.quantize }, init)
  const plan = await worker.next()
  if (plan.kind !== 'plan') throw new MeshError('internal', `the converter began with "${plan.kind}"`)
  init.check?.(plan.description)
  const progress = { bytesDone: 0, bytesTotal: plan.layouts.reduce((sum, layout) => sum + layout.bytes, 0) }
  const count = (bytes: number): void => {
    progress.bytesDone += bytes
    init.onProgress?.({ ...progress })
  }
  const files: WeightFile[] = []
  for (const layout of plan.layouts) {
    const { sha256, bytes } = await init.store.ingest(worker.fileChunks(count), init)
    if (bytes !== layout.bytes) throw new MeshError('internal', `a weight file has ${bytes} bytes, not ${layout.bytes}`)
    files.push({ sha256, ...layout })
  }
  return storeManifest(plan.description, files, init)
}

export interface ManifestInit extends Pick<ConvertInit, 'name' | 'tokenizerFiles'> {
  readonly store: Pick<IngestingBlobStore, 'put'>
  /** By which the weight files are made, where nobody has made them yet. */
  readonly recipe?: ModelRecipe | undefined
}

/**
 * Puts a manifest and the tokenizer it names into the store.
 *
 * @param files in order: embedding, layers, head, and what looks at pictures
 * @throws MeshError `model_invalid`
 */
export async function storeManifest(
  description: ModelDescription,
  files: readonly WeightFile[],
  init: ManifestInit
): Promise<ConvertedModel> {
  const { architecture, config } = description
  const { recipe } = init
  const sight = 'sight' in description ? description.sight : undefined
  const version = decoderManifestVersion({ recipe, sight })
  const head = { version, name: init.name, architecture, config }
  const rest = await partsOf(description, files, init)
  const candidate = { ...head, ...rest, ...(recipe === undefined ? {} : { recipe }) }
  const parsed = safeParse(modelManifestSchema, candidate)
  if (!parsed.success) throw modelInvalid(init.name, describeIssues(parsed.error, candidate))
  const manifest = parsed.data
  const manifestSha256 = await init.store.put(new TextEncoder().encode(JSON.stringify(manifest)))
  return { manifest, manifestSha256 }
}

type LayeredDescription = Exclude<ModelDescription, { architecture: 'piper' | 'kokoro' | 'bark' | 'diffusion' }>

/** What a manifest has behind its config. */
async function partsOf(
  description: ModelDescription,
  files: readonly WeightFile[],
  init: ManifestInit
): Promise<Record<string, unknown>> {
  if (description.architecture === 'piper') return { layers: files }
  if (description.architecture === 'kokoro') return { layers: files.slice(0, 1), styles: files[1] }
  if (description.architecture === 'bark') {
    const { prompts, semantic } = description.config
    const tokenizer = await storeTokenizer(semantic.inputVocabularySize - semantic.textOffset, init)
    return prompts.length === 0
      ? { tokenizer, layers: files }
      : { tokenizer, layers: files.slice(0, -1), prompts: files.at(-1) }
  }
  if (description.architecture === 'diffusion') {
    const { parts, tokenizers } = description
    return { tokenizers: await storeClipTokenizers(tokenizers, init), parts, layers: files }
  }
  return await layeredPartsOf(description, files, init)
}

async function putRef(bytes: Uint8Array, { store }: ManifestInit): Promise<BlobRef> {
  return { sha256: await store.put(bytes), bytes: bytes.byteLength }
}

async function storeClipTokenizers(
  tokenizers: DiffusionDescription['tokenizers'],
  init: ManifestInit
): Promise<DiffusionManifest['tokenizers']> {
  const put = (text: string): Promise<BlobRef> => putRef(new TextEncoder().encode(text), init)
  const stored: DiffusionManifest['tokenizers'] = []
  for (const { vocabulary, merges } of tokenizers) {
    stored.push({ vocabulary: await put(vocabulary), merges: await put(merges) })
  }
  return stored
}

/** The tokenizer and the weight files of a model that is made of layers. */
async function layeredPartsOf(
  description: LayeredDescription,
  files: readonly WeightFile[],
  init: ManifestInit
): Promise<Record<string, unknown>> {
  const layersEnd = 1 + layerCountOf(description)
  // the schema's order of fields decides the JSON, so the identity does not depend on how this object was built
  return {
    tokenizer: await storeTokenizer(description.config.vocabularySize, init),
    embedding: files[0],
    layers: files.slice(1, layersEnd),
    // not every model has one
    ...(files.length > layersEnd ? { head: files[layersEnd] } : {}),
    ...('sight' in description ? { sight: { config: description.sight, files: files.slice(layersEnd + 1) } } : {})
  }
}

async function storeTokenizer(vocabularySize: number, init: ManifestInit): Promise<DecoderManifest['tokenizer']> {
  if (init.tokenizerFiles === undefined) throw modelInvalid(init.name, 'has no tokenizer')
  const { definition, config, endTokenIds } = init.tokenizerFiles
  return {
    definition: await putRef(definition, init),
    config: await putRef(config, init),
    // some publishers list tokens that the model has not, and cannot write
    endTokenIds: endTokenIds.filter(id => id < vocabularySize)
  }
}

function layerCountOf({ architecture, config }: LayeredDescription): number {
  if (architecture === 'whisper') return config.encoderLayerCount + config.decoderLayerCount
  if (architecture === 'blip') return config.vision.layerCount + askedLayerCount(config) + config.text.layerCount
  return config.layerCount
}

/** The main thread's end of the conversation with `convert-worker.ts`. */
class ConvertWorker implements AsyncDisposable {
  readonly #worker: Worker
  readonly #signal: AbortSignal | undefined

  constructor(init: ConvertWorkerInit, { signal }: AbortOptions) {
    if (signal?.aborted === true) throw MeshError.from(signal.reason, 'canceled')
    this.#worker = new Worker(new URL('./convert-worker.js', import.meta.url), { workerData: init })
    this.#signal = signal
  }

  /** @throws the failure that the worker reports */
  async next(): Promise<Exclude<ConvertReply, { kind: 'failure' }>> {
    const request: ConvertRequest = 'next'
    const options = this.#signal === undefined ? {} : { signal: this.#signal }
    const answer = once(this.#worker, 'message', options)
    this.#worker.postMessage(request)
    let reply: ConvertReply
    try {
      ;[reply] = await answer
    } catch (error) {
      throw this.#signal?.aborted === true ? MeshError.from(this.#signal.reason, 'canceled') : MeshError.from(error)
    }
    if (reply.kind !== 'failure') return reply
    throw new MeshError(reply.code, reply.message, { hint: reply.hint })
  }

  /** The chunks of the next weight file. */
  async *fileChunks(count: (bytes: number) => void): AsyncGenerator<Uint8Array> {
    for (;;) {
      const reply = await this.next()
      if (reply.kind !== 'chunk') return
      yield reply.chunk
      count(reply.chunk.byteLength)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate()
  }
}
