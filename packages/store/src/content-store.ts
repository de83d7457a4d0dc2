import type { AbortOptions } from '@resultity/interface'

/** Bytes that were stored. */
export interface StoredContent {
  /** `cnt_` and 32 hexadecimal digits, made here: nothing that a client says is part of a path. */
  readonly id: string
  readonly bytes: number
  readonly sha256: string
}

export interface ByteRange {
  /** First byte. Default 0. */
  readonly start?: number
  /** Behind the last byte: half-open. Default the end; beyond it, the end. */
  readonly end?: number
}

/**
 * Payloads that are too big for a database: files, media. What they are called, whose they are and how long they stay
 * is said elsewhere, in tables. Several coordinators may share one.
 */
export interface ContentStore {
  /**
   * Stores a stream. It is there as a whole, on the disk, when the promise resolves, and nothing of it stays otherwise.
   *
   * @param bytesMax checked while the bytes come; the stream is left at once when it has more
   * @throws MeshError `invalid_request` when it has more bytes; `canceled`; whatever `chunks` throws
   */
  write(chunks: AsyncIterable<Uint8Array>, bytesMax: number, options?: AbortOptions): Promise<StoredContent>

  /** @returns its size, or undefined when there is none */
  size(id: string): Promise<number | undefined>

  /**
   * The bytes, or a part of them, read as they are asked for.
   * @throws MeshError `not_found`; `invalid_request` for a range that begins behind the end
   */
  read(id: string, range?: ByteRange, options?: AbortOptions): AsyncIterable<Uint8Array>

  /** @returns whether there was one */
  remove(id: string): Promise<boolean>

  /**
   * Removes what was stored before `storedBeforeMs` and of which `isKept` says no, and what broken writes left.
   * @returns how many went
   */
  prune(storedBeforeMs: number, isKept: (ids: readonly string[]) => Promise<ReadonlySet<string>>): Promise<number>
}
