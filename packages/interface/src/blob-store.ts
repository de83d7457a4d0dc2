import type { AbortOptions } from './abort-options.ts'

export interface BlobProgress {
  readonly bytesDone: number
  readonly bytesTotal: number
}

/** Receives one blob's bytes in order; bytes of an earlier, broken attempt are kept and counted in `offset`. */
export interface BlobWriter {
  /** Bytes already there; write from here on. */
  readonly offset: number
  write(chunk: Uint8Array): Promise<void>
  /**
   * Checks the hash and makes the blob visible.
   * @throws MeshError `hash_mismatch`; the partial file is deleted
   */
  commit(): Promise<void>
  /** Stops writing and keeps what came, for the next attempt. */
  release(): Promise<void>
}

/** Content-addressed files. A blob that is visible is complete and has its hash. */
export interface BlobStore {
  /** Absolute path of the blob, or undefined when it is not here. */
  find(sha256: string): Promise<string | undefined>
  /** @throws MeshError `resource_exhausted` when another writer has this blob open, or the disk has no room for it */
  writer(sha256: string, bytes: number): Promise<BlobWriter>
  /** Stores bytes in one go and returns their SHA-256. For small blobs: manifests, tokenizers. */
  put(bytes: Uint8Array): Promise<string>
  /** Keeps these blobs, present or coming, until what is returned is disposed. Absent: the store never drops any. */
  hold?(sha256s: readonly string[]): Disposable
  /**
   * Drops blobs that nobody holds, until there is room for `bytes` more. Absent: the store has no limit.
   * @throws MeshError `resource_exhausted` when there cannot be
   */
  makeRoom?(bytes: number): Promise<void>
  /** @throws MeshError `blob_not_found` */
  read(sha256: string, options?: AbortOptions): Promise<Uint8Array>
}
