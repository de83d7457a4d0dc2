import { type BlobStore, type BlobWriter, MeshError } from '@resultity/interface'

/** A store that has every blob, and the bytes of few: the engine in memory opens no weight file. */
export class HeldBlobs implements BlobStore, AsyncDisposable {
  readonly #bytes: ReadonlyMap<string, Uint8Array>

  /** @param bytes by SHA-256 */
  constructor(bytes: ReadonlyMap<string, Uint8Array>) {
    this.#bytes = bytes
  }

  async find(sha256: string): Promise<string> {
    return `memory:${sha256}`
  }

  async read(sha256: string): Promise<Uint8Array> {
    const bytes = this.#bytes.get(sha256)
    if (bytes !== undefined) return bytes
    throw new MeshError('blob_not_found', `blob ${sha256} has no bytes in a simulation`)
  }

  async writer(sha256: string): Promise<BlobWriter> {
    throw new MeshError('resource_exhausted', `blob ${sha256} is held already`)
  }

  async put(): Promise<string> {
    throw new MeshError('resource_exhausted', 'a store of a simulation takes no blobs')
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
