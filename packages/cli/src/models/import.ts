import { MeshError } from '@resultity/interface'
import {
  DEFAULT_MODEL,
  FALLBACK_MODEL,
  FileBlobStore,
  type ImportedModel,
  type ImportProgress,
  importModel,
  parseModelReference
} from '@resultity/model'
import type { ProgressStep } from '../output/progress.ts'

export interface ImportOptions {
  /** A coordinator's data directory. */
  readonly dataDir: string
  readonly signal: AbortSignal
  readonly onProgress: (step: ProgressStep) => void
}

/**
 * Downloads and converts models into a coordinator's data directory; what is there already is used as it is. With none
 * wanted it is the default model, and the one that comes with the project where no source of that answers.
 *
 * @param onNotice says in one line that another model serves than the one wanted
 * @returns references that can be served
 * @throws MeshError `model_unavailable`, `model_invalid`
 */
export async function importModels(
  wanted: readonly string[],
  { onNotice, ...options }: ImportOptions & { readonly onNotice: (text: string) => void }
): Promise<string[]> {
  if (wanted.length > 0) {
    for (const reference of wanted) await importIntoDirectory(reference, options)
    return [...wanted]
  }
  const { fellBack, failures } = await importIntoDirectory(DEFAULT_MODEL, options, { allowFallback: true })
  if (!fellBack) return [DEFAULT_MODEL]
  const reason = MeshError.from(failures[0]?.error).message
  onNotice(`${DEFAULT_MODEL} cannot be had here, so ${FALLBACK_MODEL} serves instead: ${reason}`)
  return [FALLBACK_MODEL]
}

/** Imports one model. @throws MeshError `model_unavailable`, `model_invalid`, `model_not_found`, `invalid_request` */
export async function importIntoDirectory(
  reference: string,
  { dataDir, signal, onProgress }: ImportOptions,
  { allowFallback = false } = {}
): Promise<ImportedModel> {
  const parsed = parseModelReference(reference)
  await using store = await FileBlobStore.open(dataDir)
  const showProgress = (progress: ImportProgress): void => onProgress(progressStep(progress))
  return await importModel(parsed, { dataDir, store, signal, allowFallback, onProgress: showProgress })
}

const verbs: Readonly<Record<ImportProgress['phase'], string>> = {
  connect: 'asking',
  download: 'downloading',
  unpack: 'unpacking',
  convert: 'converting'
}

function progressStep({ phase, what, bytesDone, bytesTotal }: ImportProgress): ProgressStep {
  return { text: `${verbs[phase]} ${what}`, ...(bytesTotal > 0 ? { fraction: bytesDone / bytesTotal } : {}) }
}
