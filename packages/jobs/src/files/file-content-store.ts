import { createHash, type Hash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, opendir, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type AbortOptions, type Clock, MeshError, systemClock } from '@resultity/interface'
import type { ByteRange, ContentStore, StoredContent } from './content-store.ts'

const ID = /^cnt_([0-9a-f]{2})[0-9a-f]{30}$/

/** Buffer of a reader: the memory that one slow client takes. */
const READ_BYTES = 256 * 1024

/** Ids that `prune` asks about at once. */
const PRUNE_BATCH = 500

/** A write that has not gone on for a day has no process any more. */
const PARTIAL_AGE_MAX_MS = 24 * 60 * 60 * 1000

/**
 * Content as files: `content/ab/cnt_ab…` is complete, `content/partial/…` is being written. A name appears by renaming a
 * file that is on the disk already, so a directory on a shared file system serves several coordinators.
 */
export class FileContentStore implements ContentStore {
  readonly #directory: string
  readonly #partial: string
  readonly #clock: Clock

  private constructor(directory: string, clock: Clock) {
    this.#directory = directory
    this.#partial = join(directory, 'partial')
    this.#clock = clock
  }

  /** @throws MeshError `unavailable` when the folder cannot be made */
  static async open(dataDir: string, clock: Clock = systemClock): Promise<FileContentStore> {
    const store = new FileContentStore(join(resolve(dataDir), 'content'), clock)
    try {
      await mkdir(store.#partial, { recursive: true, mode: 0o700 })
    } catch (error) {
      throw storageError('open the content store', error)
    }
    return store
  }

  async write(
    chunks: AsyncIterable<Uint8Array>,
    bytesMax: number,
    { signal }: AbortOptions = {}
  ): Promise<StoredContent> {
    const id = `cnt_${randomBytes(16).toString('hex')}`
    const partial = join(this.#partial, id)
    try {
      const { bytes, sha256 } = await writeFile(partial, chunks, bytesMax, signal)
      const path = this.#pathOf(id)
      await mkdir(join(path, '..'), { recursive: true, mode: 0o700 })
      await rename(partial, path)
      // the new name itself: without this a power cut could take it back
      await syncDirectory(join(path, '..'))
      return { id, bytes, sha256 }
    } catch (error) {
      await rm(partial, { force: true })
      throw storageError('store content', error)
    }
  }

  async size(id: string): Promise<number | undefined> {
    if (!ID.test(id)) return undefined
    try {
      return (await stat(this.#pathOf(id))).size
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw storageError(`look at content ${id}`, error)
    }
  }

  async *read(
    id: string,
    { start = 0, end = Number.POSITIVE_INFINITY }: ByteRange = {},
    { signal }: AbortOptions = {}
  ): AsyncIterable<Uint8Array> {
    const size = await this.size(id)
    if (size === undefined) throw notFound(id)
    if (!(Number.isInteger(start) && start >= 0 && start <= size && end >= start)) {
      throw new MeshError('invalid_request', `bytes ${start} to ${end} are not within ${size} bytes`, {
        hint: 'ask for a range that begins before the end',
        details: { param: 'range', bytes: size }
      })
    }
    if (start === Math.min(end, size)) return
    const stream = createReadStream(this.#pathOf(id), {
      start,
      // the stream's `end` is the last byte, not the one after it
      end: Math.min(end, size) - 1,
      highWaterMark: READ_BYTES,
      ...(signal === undefined ? {} : { signal })
    })
    try {
      for await (const chunk of stream) yield chunk
    } catch (error) {
      if (isAbsent(error)) throw notFound(id)
      throw storageError(`read content ${id}`, error)
    }
  }

  async remove(id: string): Promise<boolean> {
    if (!ID.test(id)) return false
    try {
      await rm(this.#pathOf(id))
      return true
    } catch (error) {
      if (isAbsent(error)) return false
      throw storageError(`remove content ${id}`, error)
    }
  }

  async prune(
    storedBeforeMs: number,
    isKept: (ids: readonly string[]) => Promise<ReadonlySet<string>>
  ): Promise<number> {
    let removed = 0
    const removeUnkept = async (ids: readonly string[]): Promise<void> => {
      if (ids.length === 0) return
      const kept = await isKept(ids)
      for (const id of ids) if (!kept.has(id) && (await this.remove(id))) removed += 1
    }
    for (const folder of await readdir(this.#directory)) {
      if (folder === 'partial') continue
      let old: string[] = []
      for await (const id of this.#olderThan(join(this.#directory, folder), storedBeforeMs)) {
        old.push(id)
        if (old.length < PRUNE_BATCH) continue
        await removeUnkept(old)
        old = []
      }
      await removeUnkept(old)
      await rmdir(join(this.#directory, folder)).catch(() => {
        // not empty
      })
    }
    for await (const name of this.#olderThan(this.#partial, this.#clock.now() - PARTIAL_AGE_MAX_MS)) {
      await rm(join(this.#partial, name), { force: true })
    }
    return removed
  }

  async *#olderThan(folder: string, ms: number): AsyncGenerator<string> {
    for await (const { name } of await opendir(folder)) {
      // another coordinator may have removed it
      const stats = await stat(join(folder, name)).catch(() => undefined)
      if (stats !== undefined && stats.mtimeMs < ms) yield name
    }
  }

  #pathOf(id: string): string {
    const folder = ID.exec(id)?.[1]
    if (folder === undefined) throw new MeshError('internal', 'a path is made of checked ids only')
    return join(this.#directory, folder, id)
  }
}

async function writeFile(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  bytesMax: number,
  signal: AbortSignal | undefined
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const handle = await open(path, 'wx', 0o600)
  try {
    const hash = createHash('sha256')
    let bytes = 0
    for await (const chunk of chunks) {
      signal?.throwIfAborted()
      bytes += chunk.byteLength
      if (bytes > bytesMax) throw tooLarge(bytesMax)
      await append(handle, hash, chunk)
    }
    signal?.throwIfAborted()
    await handle.sync()
    return { bytes, sha256: hash.digest('hex') }
  } finally {
    await handle.close()
  }
}

async function append(handle: FileHandle, hash: Hash, chunk: Uint8Array): Promise<void> {
  hash.update(chunk)
  for (let done = 0; done < chunk.byteLength; ) {
    const { bytesWritten } = await handle.write(chunk, done)
    done += bytesWritten
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function tooLarge(bytesMax: number): MeshError {
  return new MeshError('invalid_request', `the content has more than the ${bytesMax} bytes that are allowed`, {
    hint: 'send less, or split it',
    details: { param: 'file', bytesMax }
  })
}

function notFound(id: string): MeshError {
  return new MeshError('not_found', `there is no content ${id.slice(0, 80)}`, { hint: 'it may have been removed' })
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/** An error of the file system as one that says what to do. An error that the caller's stream threw stays as it is. */
function storageError(what: string, error: unknown): unknown {
  if (error instanceof MeshError || !(error instanceof Error)) return error
  if (error.name === 'AbortError') return MeshError.from(error)
  const code = 'code' in error ? String(error.code) : ''
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new MeshError('resource_exhausted', `cannot ${what}: the disk is full`, {
      hint: 'free some space, or shorten how long files are kept',
      cause: error
    })
  }
  if (!('syscall' in error)) return error
  return new MeshError('unavailable', `cannot ${what}: ${error.message}`, {
    hint: 'check that the data directory exists and can be written',
    cause: error
  })
}
