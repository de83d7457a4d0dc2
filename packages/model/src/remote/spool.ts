import { mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type FileExtent, storageError, WrittenFile } from '@resultity/formats'

/** What one conversion reads, one extent behind the other in a file of this machine. */
export interface SpoolContent {
  readonly path: string
  readonly extents: readonly FileExtent[]
}

/** At each multiple of so many bytes what came is on the disk for certain; as much may be fetched again after a crash. */
export const SPOOL_SYNC_BYTES = 64 * 1024 * 1024

/**
 * Takes the bytes of some extents in order. What an earlier one at its path took is continued from the last whole multiple of
 * {@link SPOOL_SYNC_BYTES} on, even where all came: what is behind may have its length on the disk, and not its bytes.
 */
export class Spool implements AsyncDisposable {
  readonly content: SpoolContent
  readonly bytesTotal: number
  readonly #file: WrittenFile
  readonly #syncBytes: number

  private constructor(content: SpoolContent, file: WrittenFile, syncBytes: number) {
    this.content = content
    this.bytesTotal = sumOf(content.extents)
    this.#file = file
    this.#syncBytes = syncBytes
  }

  static async open(content: SpoolContent, syncBytes = SPOOL_SYNC_BYTES): Promise<Spool> {
    try {
      await mkdir(dirname(content.path), { recursive: true })
    } catch (error) {
      throw storageError(`cannot make ${dirname(content.path)}`, error)
    }
    const total = sumOf(content.extents)
    const file = await WrittenFile.open(content.path, total)
    // a multiple that was reached and not passed may still wait for its sync
    const passed = Math.max(0, file.bytes - 1)
    await file.shorten(passed - (passed % syncBytes))
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
    for (let at = 0; at < chunk.byteLength; ) {
      const piece = chunk.subarray(at, at + this.#syncBytes - (this.bytes % this.#syncBytes))
      await this.#file.append(piece)
      at += piece.byteLength
      if (this.bytes % this.#syncBytes === 0) await this.#file.sync()
    }
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
