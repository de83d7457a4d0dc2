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
  /** The position after the last byte (half-open range). Default: the end. A larger value means the end. */
  readonly end?: number
}

/**
 * Payloads that are too big for a database: files, media. Their names, owners and lifetimes are in tables elsewhere.
 * Several coordinators may share one.
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
   * The bytes, or a part of them, read on demand.
   * @throws MeshError `not_found`; `invalid_request` for a range that starts after the end
   */
  read(id: string, range?: ByteRange, options?: AbortOptions): AsyncIterable<Uint8Array>

  /** @returns whether there was one */
  remove(id: string): Promise<boolean>

  /**
   * Removes payloads stored before `storedBeforeMs` that `isKept` does not keep, and the remains of broken writes.
   * @returns how many were removed
   */
  prune(storedBeforeMs: number, isKept: (ids: readonly string[]) => Promise<ReadonlySet<string>>): Promise<number>
}
