import type { Stats } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { storageError, WrittenFile } from '@resultity/formats'
import {
  type AbortOptions,
  type BlobStore,
  type BlobWriter,
  type Clock,
  MeshError,
  safeParse,
  sha256Schema,
  systemClock
} from '@resultity/interface'
import { BlobCache, type BlobCacheLimits } from './blob-cache.ts'
import { FileHasher } from './file-hash.ts'
import { VerificationLog } from './verification-log.ts'

/** Largest blob that `read` takes into memory: manifests and tokenizers are some megabytes. */
const READ_BYTES_MAX = 256 * 1024 * 1024

/** A partial blob that nobody continued for a week is not worth its space. */
const PARTIAL_AGE_MAX_MS = 7 * 24 * 60 * 60 * 1000

/** A store that also takes bytes whose hash is not known yet. */
export interface IngestingBlobStore extends BlobStore {
  /**
   * Stores a stream. Nothing is visible, and nothing stays on disk, unless it came to its end.
   * @throws MeshError `canceled` when the signal aborts; whatever `chunks` throws
   */
  ingest(chunks: AsyncIterable<Uint8Array>, options?: AbortOptions): Promise<{ sha256: string; bytes: number }>
}

export interface FileBlobStoreInit {
  /** Blob folders of other stores on this machine, used in place and never written. */
  readonly readOnlySources?: readonly string[]
  readonly clock?: Clock
  /** Drop what was used longest ago where there would be too much. Default: nothing is dropped, and there is no limit. */
  readonly cache?: BlobCacheLimits
  /** Told of a blob file that has not the hash it is named by: one of our own is deleted then, a source's passed over. */
  readonly onDamaged?: (path: string) => void
}

/** What nobody has any use for in a blob file, whose bytes never change. */
const WRITE_BITS = 0o222

/**
 * Blobs as files: `blobs/sha256-<hex>` is complete and right, `partial/<hex>` what came so far. A blob file is never written
 * to, only renamed into place and removed: whoever has it mapped keeps the bytes that it mapped.
 * One process writes to a folder at a time; several may read it.
 */
export class FileBlobStore implements IngestingBlobStore, AsyncDisposable {
  readonly #directory: string
  readonly #readOnlySources: readonly string[]
  readonly #verified: VerificationLog
  readonly #cache: BlobCache | undefined
  readonly #hasher = new FileHasher()
  readonly #onDamaged: (path: string) => void
  /** Blobs that have a writer. */
  readonly #writing = new Set<string>()
  /** Verifications under way, so that several readers share one hashing. */
  readonly #verifying = new Map<string, Promise<boolean>>()
  #ingestCount = 0

  private constructor(
    directory: string,
    readOnlySources: readonly string[],
    verified: VerificationLog,
    cache: BlobCache | undefined,
    onDamaged: (path: string) => void
  ) {
    this.#cache = cache
    this.#directory = directory
    this.#readOnlySources = readOnlySources
    this.#verified = verified
    this.#onDamaged = onDamaged
  }

  /** Opens the store, creating its folders, and removes what broken imports left. */
  static async open(directory: string, init: FileBlobStoreInit = {}): Promise<FileBlobStore> {
    const root = resolve(directory)
    const sources = (init.readOnlySources ?? []).map(source => resolve(source))
    const { clock = systemClock } = init
    let cache: BlobCache | undefined
    try {
      await mkdir(join(root, 'blobs'), { recursive: true })
      await mkdir(join(root, 'partial'), { recursive: true })
      await removeLeftovers(join(root, 'partial'), clock)
      if (init.cache !== undefined) cache = await BlobCache.open(root, clock, init.cache)
    } catch (error) {
      throw storageError(`cannot open the blob store ${root}`, error)
    }
    const verified = await VerificationLog.open(join(root, 'verified.json'))
    return new FileBlobStore(root, sources, verified, cache, init.onDamaged ?? (() => undefined))
  }

  /** The folder that another store may name as a read-only source. */
  get blobDirectory(): string {
    return join(this.#directory, 'blobs')
  }

  async find(sha256: string): Promise<string | undefined> {
    checkHash(sha256)
    const own = this.#blobPath(sha256)
    if (await this.#isRight(own, sha256)) return own
    for (const source of this.#readOnlySources) {
      const path = join(source, `sha256-${sha256}`)
      if (await this.#isRight(path, sha256)) return path
    }
    return undefined
  }

  hold(sha256s: readonly string[]): Disposable {
    return this.#cache?.hold(sha256s) ?? { [Symbol.dispose]: () => {} }
  }

  async makeRoom(bytes: number): Promise<void> {
    await this.#cache?.makeRoom(bytes)
  }

  async writer(sha256: string, bytes: number): Promise<BlobWriter> {
    checkHash(sha256)
    if (this.#writing.has(sha256)) {
      throw new MeshError('resource_exhausted', `blob ${sha256} is being written already`, {
        hint: 'wait until the other transfer of this blob has ended'
      })
    }
    this.#writing.add(sha256)
    try {
      const path = join(this.#directory, 'partial', sha256)
      await this.#cache?.expect(sha256, bytes)
      return this.#blobWriter(sha256, bytes, await WrittenFile.open(path, bytes))
    } catch (error) {
      this.#free(sha256)
      throw error
    }
  }

  async put(bytes: Uint8Array): Promise<string> {
    const chunks = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes
    }
    const { sha256 } = await this.ingest(chunks())
    return sha256
  }

  async ingest(
    chunks: AsyncIterable<Uint8Array>,
    options: AbortOptions = {}
  ): Promise<{ sha256: string; bytes: number }> {
    this.#ingestCount += 1
    const name = `ingest-${process.pid}-${performance.timeOrigin}-${this.#ingestCount}`
    const file = await WrittenFile.open(join(this.#directory, 'partial', name), 0)
    // room for others is not made of it
    using _held = this.hold([name])
    try {
      for await (const chunk of chunks) {
        options.signal?.throwIfAborted()
        await file.append(chunk)
      }
      await file.finish()
      const sha256 = await this.#hasher.sha256(file.path)
      await this.#publish(file.path, sha256)
      return { sha256, bytes: file.bytes }
    } catch (error) {
      await file.delete()
      throw MeshError.from(error)
    }
  }

  async read(sha256: string, options: AbortOptions = {}): Promise<Uint8Array> {
    const path = await this.find(sha256)
    if (path === undefined) {
      throw new MeshError('blob_not_found', `blob ${sha256} is not in the store`, {
        hint: 'fetch it from a peer that has it'
      })
    }
    const { size } = await stat(path)
    if (size > READ_BYTES_MAX) {
      throw new MeshError(
        'resource_exhausted',
        `blob ${sha256} has ${size} bytes, at most ${READ_BYTES_MAX} are read at once`
      )
    }
    using _held = this.hold([sha256])
    try {
      return await readFile(path, options)
    } catch (error) {
      throw error instanceof Error && error.name === 'AbortError'
        ? MeshError.from(error)
        : storageError(`cannot read ${path}`, error)
    }
  }

  /** Stops the hashing thread. Blobs under way fail with `unavailable`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hasher[Symbol.asyncDispose]()
    await this.#cache?.[Symbol.asyncDispose]()
  }

  #blobPath(sha256: string): string {
    return join(this.blobDirectory, `sha256-${sha256}`)
  }

  /** The blob has no writer any more. */
  #free(sha256: string): void {
    this.#writing.delete(sha256)
    this.#cache?.arrived(sha256)
  }

  #blobWriter(sha256: string, bytes: number, file: WrittenFile): BlobWriter {
    const offset = file.bytes
    const release = async (): Promise<void> => {
      this.#free(sha256)
      await file.close()
    }
    const refuse = async (what: string): Promise<never> => {
      await file.delete()
      this.#free(sha256)
      throw new MeshError('hash_mismatch', `blob ${sha256}: ${what}`, { hint: 'fetch it again, from another source' })
    }
    return {
      offset,
      write: async chunk => {
        if (file.bytes + chunk.byteLength > bytes) await refuse(`more than the announced ${bytes} bytes came`)
        await file.append(chunk)
      },
      commit: async () => {
        if (file.bytes !== bytes) await refuse(`${file.bytes} bytes came, ${bytes} were announced`)
        try {
          await file.finish()
          const actual = await this.#hasher.sha256(file.path)
          if (actual !== sha256) await refuse(`the bytes have the hash ${actual}`)
          await this.#publish(file.path, sha256)
        } finally {
          await release()
        }
      },
      release
    }
  }

  /** Makes a file that was just hashed visible. */
  async #publish(path: string, sha256: string): Promise<void> {
    const target = this.#blobPath(sha256)
    try {
      const { mode } = await stat(path)
      // some file systems know no modes; Windows would let nobody replace the file
      if (process.platform !== 'win32') await chmod(path, mode & ~WRITE_BITS).catch(() => undefined)
      await rename(path, target)
      await this.#verified.record(target, await stat(target))
    } catch (error) {
      throw storageError(`cannot store blob ${sha256}`, error)
    }
  }

  /** Whether `path` is there and has the hash; hashed only when it changed since it was last found right. */
  async #isRight(path: string, sha256: string): Promise<boolean> {
    let stats: Stats
    try {
      stats = await stat(path)
    } catch {
      // not there, or in a folder that may not be read: as good as not there
      return false
    }
    if (this.#verified.trusts(path, stats)) return true
    let verifying = this.#verifying.get(path)
    if (verifying === undefined) {
      verifying = this.#verify(path, sha256, stats).finally(() => this.#verifying.delete(path))
      this.#verifying.set(path, verifying)
    }
    return verifying
  }

  async #verify(path: string, sha256: string, stats: Stats): Promise<boolean> {
    if ((await this.#hasher.sha256(path)) === sha256) {
      await this.#verified.record(path, stats)
      return true
    }
    this.#onDamaged(path)
    // a damaged blob of our own would be in the way of a good one
    if (path === this.#blobPath(sha256)) await rm(path, { force: true })
    return false
  }
}

function checkHash(sha256: string): void {
  if (!safeParse(sha256Schema, sha256).success) {
    throw new MeshError('invalid_request', `"${sha256.slice(0, 80)}" is not a SHA-256`, {
      hint: 'give 64 lower-case hexadecimal digits'
    })
  }
}

/** Deletes partial blobs that nobody continued and imports whose process is gone. */
async function removeLeftovers(directory: string, clock: Clock): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name)
    const ingest = /^ingest-(\d+)-/.exec(name)
    // another process may have finished or removed it since the folder was read
    const stats = await stat(path).catch(() => undefined)
    const old = stats !== undefined && clock.now() - stats.mtimeMs > PARTIAL_AGE_MAX_MS
    if (old || (ingest?.[1] !== undefined && !isRunning(Number(ingest[1])))) await rm(path, { force: true })
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it runs, as somebody else
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
