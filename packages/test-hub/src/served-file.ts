import { createHash } from 'node:crypto'

/** A file of a repository. Its bytes are made when they are asked for. */
export interface ServedFile {
  readonly bytes: number
  /** SHA-256 that the hub announces. Of a file too large to hash it is made up: only ranges of it are ever read. */
  readonly sha256: string
  read(offset: number, length: number): Uint8Array
}

/** A file whose bytes are here. */
export function servedBytes(content: Uint8Array): ServedFile {
  return {
    bytes: content.byteLength,
    sha256: createHash('sha256').update(content).digest('hex'),
    read: (offset, length) => content.subarray(offset, offset + length)
  }
}
