import { type FileHandle, open, rm } from 'node:fs/promises'
import { MeshError } from '@resultity/interface'

/** Appends to one file and gives it up exactly once. */
export class WrittenFile {
  readonly path: string
  readonly #handle: FileHandle
  #bytes: number
  #open = true

  private constructor(path: string, handle: FileHandle, bytes: number) {
    this.path = path
    this.#handle = handle
    this.#bytes = bytes
  }

  /** Opens `path`, keeping its bytes unless there are more than `keepMax`. */
  static async open(path: string, keepMax: number): Promise<WrittenFile> {
    try {
      const handle = await open(path, 'a')
      const { size } = await handle.stat()
      if (size > keepMax) await handle.truncate(0)
      return new WrittenFile(path, handle, size > keepMax ? 0 : size)
    } catch (error) {
      throw storageError(`cannot open ${path}`, error)
    }
  }

  get bytes(): number {
    return this.#bytes
  }

  async append(chunk: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < chunk.byteLength; ) {
        const { bytesWritten } = await this.#handle.write(chunk, done)
        done += bytesWritten
        this.#bytes += bytesWritten
      }
    } catch (error) {
      throw storageError(`cannot write ${this.path}`, error)
    }
  }

  /** Gives up all but the first `bytes`. */
  async shorten(bytes: number): Promise<void> {
    try {
      await this.#handle.truncate(bytes)
      this.#bytes = bytes
    } catch (error) {
      throw storageError(`cannot shorten ${this.path}`, error)
    }
  }

  /** Its bytes are on the disk then. */
  async sync(): Promise<void> {
    try {
      await this.#handle.datasync()
    } catch (error) {
      throw storageError(`cannot write ${this.path}`, error)
    }
  }

  /** Closes the file; its bytes are on the disk, so that a power cut cannot leave a visible blob with holes. */
  async finish(): Promise<void> {
    try {
      await this.#handle.datasync()
    } catch (error) {
      throw storageError(`cannot write ${this.path}`, error)
    } finally {
      await this.close()
    }
  }

  async close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.#handle.close()
  }

  async delete(): Promise<void> {
    await this.close()
    await rm(this.path, { force: true })
  }
}

/** An error of the file system, as one that says what to do. */
export function storageError(what: string, error: unknown): MeshError {
  if (error instanceof MeshError) return error
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new MeshError('resource_exhausted', `${what}: the disk is full`, {
      hint: 'free some space or choose another data directory',
      cause: error
    })
  }
  return new MeshError('unavailable', `${what}: ${error instanceof Error ? error.message : String(error)}`, {
    hint: 'check that the data directory exists and can be written',
    cause: error
  })
}
