import { mkdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { IngestingBlobStore } from '@resultity/blobs'
import { isDiffusersFolder } from '@resultity/diffusion-model'
import { ggufModelName } from '@resultity/formats'
import { MeshError, type ModelManifest, modelInvalid, type Quantize, recipeOf } from '@resultity/interface'
import { kokoroAt, piperVoiceAt } from '@resultity/voice'
import pRetry from 'p-retry'
import { type DescribedHubModel, describeHubModel } from '../remote/describe-model.ts'
import { HubClient } from '../remote/hub-client.ts'
import { CONVERTER_VERSION, isWeights } from '../remote/recipe.ts'
import { FALLBACK_MODEL } from '../sources/catalogue.ts'
import { type FetchModelOptions, fetchModel, type SourceFailure } from '../sources/fetch-model.ts'
import { findDownload } from '../sources/hub-downloads.ts'
import { formatModelReference, hubModelName, type ModelReference } from '../sources/reference.ts'
import { type ConvertedModel, convertModel } from './convert.ts'
import { findManifest, ImportRecords } from './import-record.ts'
import { checkServable, namingModel } from './servable.ts'
import { readTokenizerFiles } from './tokenizer-of.ts'

export interface ImportOptions extends FetchModelOptions {
  /** Where the weight files, the tokenizer and the manifest go. */
  readonly store: IngestingBlobStore
  /**
   * Bytes of weights from which on a model of the hub is only described, and nodes fetch and convert its layers. Default:
   * every model is fetched whole.
   */
  readonly describeFrom?: number | undefined
  /** What becomes of a decoder's matrices of plain numbers. Default `auto`. */
  readonly quantize?: Quantize | undefined
  /** When no source of a catalogue model answers, import the one that comes with the program. Default false. */
  readonly allowFallback?: boolean
}

export interface ImportedModel {
  readonly manifest: ModelManifest
  readonly manifestSha256: string
  /** The source that served, as a model reference. */
  readonly source: string
  /** Sources that were tried and did not serve; empty when the model was here already. */
  readonly failures: readonly SourceFailure[]
  /** True when the model that comes with the program serves in place of the one asked for. */
  readonly fellBack: boolean
}

/** Longest wait for another process that imports into the same data directory. */
const LOCK_WAIT_MS = 30 * 60 * 1000
const LOCK_PAUSE_MS = 500
/** A lock not renewed for so long belongs to a process that died. */
const LOCK_STALE_MS = 30_000

/**
 * Brings a model into the store: fetches it, converts it once, and remembers it, so that the next call answers from
 * the disk alone. Processes that share a data directory take turns.
 *
 * @throws MeshError whatever {@link fetchModel} and {@link convertModel} throw; `resource_exhausted` when another
 * import holds the data directory for half an hour
 */
export async function importModel(reference: ModelReference, options: ImportOptions): Promise<ImportedModel> {
  const known = await recall(reference, options)
  if (known !== undefined) return known
  try {
    return await withImportLock(options, signal => importLocked(reference, { ...options, signal }))
  } catch (error) {
    options.signal?.throwIfAborted()
    if (options.allowFallback !== true || reference.kind !== 'catalogue' || reference.name === FALLBACK_MODEL)
      throw error
    if (!(error instanceof MeshError) || error.code !== 'model_unavailable') throw error
    const imported = await importModel(
      { kind: 'catalogue', name: FALLBACK_MODEL },
      { ...options, allowFallback: false }
    )
    return { ...imported, failures: [{ source: formatModelReference(reference), error }], fellBack: true }
  }
}

async function recall(reference: ModelReference, options: ImportOptions): Promise<ImportedModel | undefined> {
  const record = await new ImportRecords(options.dataDir, options.quantize).find(reference)
  if (record === undefined) return undefined
  const { manifestSha256, source } = record
  const manifest = await findManifest(options.store, manifestSha256)
  if (manifest !== undefined && isDescribedOtherwise(manifest, options.describeFrom)) return undefined
  return manifest === undefined ? undefined : { manifest, manifestSha256, source, failures: [], fellBack: false }
}

async function importLocked(reference: ModelReference, options: ImportOptions): Promise<ImportedModel> {
  // another process may have done it while this one waited
  const known = await recall(reference, options)
  if (known !== undefined) return known
  const records = new ImportRecords(options.dataDir, options.quantize)
  const described = await describeInstead(reference, options)
  if (described !== undefined) {
    const { manifest, manifestSha256, source } = described
    await records.remember(reference, { manifestSha256, source, sourceFingerprint: '' })
    return { manifest, manifestSha256, source, failures: [], fellBack: false }
  }
  const { path, source, failures } = await fetchModel(reference, options)
  const sourceFingerprint = await records.fingerprint(reference)
  const { manifest, manifestSha256 } = await convert(path, modelNameOf(reference), options)
  // what was read may be half of one model and half of another
  if ((await records.fingerprint(reference)) !== sourceFingerprint) {
    throw modelInvalid(path, 'changed while it was imported', 'import it again once nothing writes to it')
  }
  await records.remember(reference, { manifestSha256, source, sourceFingerprint })
  return { manifest, manifestSha256, source, failures, fellBack: false }
}

/** Whether a model was described for nodes that is now asked for whole, or that another version of the conversion was to make. */
function isDescribedOtherwise(manifest: ModelManifest, describeFrom = Number.POSITIVE_INFINITY): boolean {
  const recipe = recipeOf(manifest)
  if (recipe === undefined) return false
  const bytes = recipe.files.filter(isWeights).reduce((sum, file) => sum + file.bytes, 0)
  return recipe.converter !== CONVERTER_VERSION || bytes < describeFrom
}

/** A large model of the hub without its weights; undefined for any other, and for one that is on this machine already. */
async function describeInstead(
  reference: ModelReference,
  options: ImportOptions
): Promise<DescribedHubModel | undefined> {
  const { describeFrom, dataDir, hub = {}, store, quantize } = options
  if (describeFrom === undefined || reference.kind !== 'hub') return undefined
  const directory = join(dataDir, 'downloads')
  if ((await findDownload(reference, directory)) !== undefined) return undefined
  const { hubUrl, accessToken, ...times } = hub
  const client = new HubClient({ url: hubUrl, token: accessToken, ...times })
  const init = { client, store, directory, quantize, name: modelNameOf(reference) }
  return await describeHubModel(reference, { ...init, weightBytesMin: describeFrom }, options)
}

async function convert(path: string, name: string, options: ImportOptions): Promise<ConvertedModel> {
  try {
    // a voice reads phonemes, and what draws pictures has tokenizers of another kind
    const voice = piperVoiceAt(path) !== undefined || kokoroAt(path) !== undefined
    const without = voice || isDiffusersFolder(path)
    const tokenizerFiles = without ? undefined : await readTokenizerFiles(path, options)
    return await convertModel(path, {
      store: options.store,
      name,
      quantize: options.quantize,
      tokenizerFiles,
      check: description => checkServable(tokenizerFiles, description),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      onProgress: progress => options.onProgress?.({ phase: 'convert', what: name, ...progress })
    })
  } catch (error) {
    throw namingModel(path, error)
  }
}

/** The name by which clients ask for a model. */
export function modelNameOf(reference: ModelReference): string {
  switch (reference.kind) {
    case 'catalogue':
      return reference.name
    case 'file': {
      const voice = piperVoiceAt(resolve(reference.path))
      return voice === undefined ? ggufModelName(resolve(reference.path)) : basename(voice, '.onnx')
    }
    case 'hub':
      return hubModelName(reference)
    case 'pypi':
      return reference.project
    case 'random':
      return `random-${reference.shape}`
  }
}

/** Runs `work` while no other process imports into the same data directory; its signal aborts if the lock is lost. */
async function withImportLock<T>(options: ImportOptions, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const directory = join(options.dataDir, 'models')
  await mkdir(directory, { recursive: true })
  const lost = new AbortController()
  // loaded when first needed: a node never imports
  const { lock } = await import('proper-lockfile')
  const unlock = await pRetry(
    () =>
      lock(directory, {
        stale: LOCK_STALE_MS,
        onCompromised: error =>
          lost.abort(new MeshError('unavailable', `the import lock in ${directory} was taken away`, { cause: error }))
      }),
    {
      retries: LOCK_WAIT_MS / LOCK_PAUSE_MS,
      minTimeout: LOCK_PAUSE_MS,
      factor: 1,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      shouldRetry: ({ error }) => isHeld(error)
    }
  ).catch((error: unknown) => {
    options.signal?.throwIfAborted()
    if (!isHeld(error)) throw MeshError.from(error, 'unavailable')
    throw new MeshError('resource_exhausted', `another process imports a model into ${options.dataDir}`, {
      hint: 'Wait until it has ended, or use another data directory.',
      cause: error
    })
  })
  try {
    const signals = options.signal === undefined ? [lost.signal] : [options.signal, lost.signal]
    return await work(AbortSignal.any(signals))
  } finally {
    // a lock that was lost is not ours to give back
    if (!lost.signal.aborted) await unlock()
  }
}

function isHeld(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ELOCKED'
}
