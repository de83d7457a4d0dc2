import { type HubAccess, hubOptions, type ImportedModel, type ImportProgress, importModel, parseModelReference } from '@resultity/model'
import { FileBlobStore } from '@resultity/blobs'
import type { Quantize } from '@resultity/interface'
import type { ProgressStep } from '../output/progress.ts'

export interface ImportOptions {
  /** A coordinator's data directory. */
  readonly dataDir: string
  readonly hub: HubAccess
  readonly quantize: Quantize | undefined
  readonly signal: AbortSignal
  readonly onProgress: (step: ProgressStep) => void
}

/**
 * Downloads and converts a model into a coordinator's data directory; existing files are used as they are.
 *
 * @throws MeshError `model_unavailable`, `model_invalid`, `model_not_found`, `invalid_request`
 */
export async function importIntoDirectory(
  reference: string,
  { dataDir, hub, quantize, signal, onProgress }: ImportOptions
): Promise<ImportedModel> {
  const parsed = parseModelReference(reference)
  await using store = await FileBlobStore.open(dataDir)
  const options = { dataDir, store, signal, quantize, hub: hubOptions(hub) }
  return await importModel(parsed, { ...options, onProgress: progress => onProgress(toStep(progress)) })
}

const verbs: Readonly<Record<ImportProgress['phase'], string>> = {
  connect: 'asking',
  download: 'downloading',
  unpack: 'unpacking',
  convert: 'converting'
}

/** An import's progress in words. */
export function toStep({ phase, what, bytesDone, bytesTotal }: ImportProgress): ProgressStep {
  return { text: `${verbs[phase]} ${what}`, ...(bytesTotal > 0 ? { fraction: bytesDone / bytesTotal } : {}) }
}
