import { createHash } from 'node:crypto'
import type { Stats } from 'node:fs'
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { ggufPartPaths } from '@resultity/formats'
import {
  type BlobStore,
  type ModelManifest,
  modelManifestSchema,
  type Quantize,
  recipeOf,
  safeParse,
  sha256Schema,
  tokenizerFilesOf,
  weightFiles
} from '@resultity/interface'
import { z } from 'zod'
import { type CatalogueSource, findCatalogueEntry } from '../sources/catalogue.ts'
import { formatModelReference, type ModelReference } from '../sources/reference.ts'

/**
 * Raised when the importer turns the same source into other bytes, or refuses what it took: records of older versions are
 * then not used.
 */
const IMPORTER_VERSION = 5

const recordSchema = z.object({
  version: z.literal(IMPORTER_VERSION),
  reference: z.string(),
  /** State of the source when it was imported. If it has another state now, it is imported again. */
  fingerprint: z.string(),
  manifestSha256: sha256Schema,
  /** The source that served, as a model reference. */
  source: z.string()
})
export type ImportRecord = z.infer<typeof recordSchema>

export interface ImportedSource extends Pick<ImportRecord, 'manifestSha256' | 'source'> {
  readonly sourceFingerprint: string
}

/** Remembers what a reference was imported as: one small file each below `models/`. */
export class ImportRecords {
  readonly #directory: string
  readonly #quantize: Quantize

  /** @param quantize what imports make of plain matrices: each way makes a model of its own */
  constructor(dataDir: string, quantize: Quantize = 'auto') {
    this.#directory = join(dataDir, 'models')
    this.#quantize = quantize
  }

  /** The record of `reference`, if its source is still what it was. */
  async find(reference: ModelReference): Promise<ImportRecord | undefined> {
    const text = await readFile(this.#path(reference), 'utf8').catch(() => undefined)
    if (text === undefined) return undefined
    const record = safeParse(recordSchema, parseOrUndefined(text)).data
    if (record?.reference !== formatModelReference(reference)) return undefined
    return record.fingerprint === (await fingerprint(reference)) ? record : undefined
  }

  /** What the source of `reference` is like now; other bytes make another. */
  async fingerprint(reference: ModelReference): Promise<string> {
    return await fingerprint(reference)
  }

  /** @param sourceFingerprint of the source as it was imported */
  async remember(
    reference: ModelReference,
    { manifestSha256, source, sourceFingerprint }: ImportedSource
  ): Promise<void> {
    const record: ImportRecord = {
      version: IMPORTER_VERSION,
      reference: formatModelReference(reference),
      fingerprint: sourceFingerprint,
      manifestSha256,
      source
    }
    const path = this.#path(reference)
    await mkdir(dirname(path), { recursive: true })
    // renamed into place: a reader never sees half of it
    const draft = `${path}.${process.pid}`
    await writeFile(draft, `${JSON.stringify(record, undefined, 2)}\n`)
    await rename(draft, path)
  }

  #path(reference: ModelReference): string {
    const text = `${formatModelReference(reference)}${this.#quantize === 'auto' ? '' : `#${this.#quantize}`}`
    const readable = text.replaceAll(/[^A-Za-z0-9.=-]+/g, '-').slice(-80)
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 12)
    return join(this.#directory, `${readable}-${hash}.json`)
  }
}

/** The manifest, if it and every blob it names are in the store. Weights that nodes make by a recipe are not here. */
export async function findManifest(store: BlobStore, manifestSha256: string): Promise<ModelManifest | undefined> {
  if ((await store.find(manifestSha256)) === undefined) return undefined
  const text = new TextDecoder().decode(await store.read(manifestSha256))
  const manifest = safeParse(modelManifestSchema, parseOrUndefined(text)).data
  if (manifest === undefined) return undefined
  const weights = recipeOf(manifest) === undefined ? weightFiles(manifest) : []
  for (const { sha256 } of [...tokenizerFilesOf(manifest), ...weights]) {
    if ((await store.find(sha256)) === undefined) return undefined
  }
  return manifest
}

/** Changes when the same reference would be imported from other bytes. */
async function fingerprint(reference: ModelReference): Promise<string> {
  switch (reference.kind) {
    case 'catalogue':
      return (await Promise.all((findCatalogueEntry(reference.name)?.sources ?? []).map(pinOf))).join(' ')
    case 'file':
      return (await Promise.all(filesOf(resolve(reference.path)).map(fileFingerprint))).join(' ')
    default:
      return ''
  }
}

/** All parts of a split model; a voice and its settings. */
function filesOf(path: string): readonly string[] {
  return path.endsWith('.onnx') ? [path, `${path}.json`] : ggufPartPaths(path)
}

async function pinOf(source: CatalogueSource): Promise<string> {
  if (source.kind === 'bundled') return await fileFingerprint(source.directory)
  if (!('files' in source)) return source.sha256
  const joined = source.kind === 'pypi-folder' ? Object.values(source.joined ?? {}) : []
  return [...Object.values(source.files), ...joined.map(({ sha256 }) => sha256)].join('+')
}

/**
 * Which inodes a file, or the files in a folder and the folders in it, are, their sizes and times; that of change cannot be set by
 * programs.
 */
async function fileFingerprint(path: string): Promise<string> {
  const stats = await stat(path).catch(() => undefined)
  if (stats === undefined) return 'gone'
  return stats.isDirectory() ? await folderFingerprint(path, true) : stateOf(stats)
}

async function folderFingerprint(path: string, deeper: boolean): Promise<string> {
  const names = (await readdir(path)).toSorted()
  const files = names.map(async name => {
    const found = await stat(join(path, name)).catch(() => undefined)
    if (deeper && found?.isDirectory() === true) return `${name}(${await folderFingerprint(join(path, name), false)})`
    return `${name}:${found === undefined ? 'gone' : stateOf(found)}`
  })
  return (await Promise.all(files)).join(' ')
}

function stateOf({ size, mtimeMs, ctimeMs, ino }: Stats): string {
  return `${size}@${mtimeMs}/${ctimeMs}#${ino}`
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
