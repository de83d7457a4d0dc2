import { mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type FileExtent, storageError, WrittenFile } from '@resultity/formats'

/** What one conversion reads, one extent behind the other in a file of this machine. */
export interface SpoolContent {
  readonly path: string
  readonly extents: readonly FileExtent[]
}

/** Bytes after which what came is on the disk for certain; as much may be fetched again after a crash. */
export const SPOOL_SYNC_BYTES = 64 * 1024 * 1024

/**
 * Takes the bytes of some extents in order. A spool that was not filled is continued by the next one at its path, from the last
 * whole multiple of {@link SPOOL_SYNC_BYTES} on: what is behind may not have reached the disk.
 */
export class Spool implements AsyncDisposable {
  readonly content: SpoolContent
  readonly bytesTotal: number
  readonly #file: WrittenFile
  readonly #syncBytes: number
  #synced: number

  private constructor(content: SpoolContent, file: WrittenFile, syncBytes: number) {
    this.content = content
    this.bytesTotal = sumOf(content.extents)
    this.#file = file
    this.#syncBytes = syncBytes
    this.#synced = file.bytes
  }

  static async open(content: SpoolContent, syncBytes = SPOOL_SYNC_BYTES): Promise<Spool> {
    try {
      await mkdir(dirname(content.path), { recursive: true })
    } catch (error) {
      throw storageError(`cannot make ${dirname(content.path)}`, error)
    }
    const total = sumOf(content.extents)
    const file = await WrittenFile.open(content.path, total)
    if (file.bytes < total) await file.shorten(file.bytes - (file.bytes % syncBytes))
    return new Spool(content, file, syncBytes)
  }

  get bytes(): number {
    return this.#file.bytes
  }

  /** What is still to come, in order. */
  rest(): FileExtent[] {
    let behind = this.bytes
    return this.content.extents.flatMap(extent => {
      const skipped = Math.min(behind, extent.bytes)
      behind -= skipped
      return skipped === extent.bytes
        ? []
        : [{ ...extent, offset: extent.offset + skipped, bytes: extent.bytes - skipped }]
    })
  }

  async append(chunk: Uint8Array): Promise<void> {
    await this.#file.append(chunk)
    if (this.bytes - this.#synced < this.#syncBytes && this.bytes < this.bytesTotal) return
    await this.#file.sync()
    this.#synced = this.bytes
  }

  /** Keeps what came. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }

  /** It is of no use any more. */
  async delete(): Promise<void> {
    await this.#file.close()
    await rm(this.content.path, { force: true })
  }
}

function sumOf(extents: readonly FileExtent[]): number {
  return extents.reduce((sum, { bytes }) => sum + bytes, 0)
}
