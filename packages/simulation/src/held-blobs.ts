import { type BlobStore, type BlobWriter, MeshError } from '@resultity/interface'
import type { SimulatedModel } from './simulated-model.ts'

/** A store that has every blob of one model, without bytes: the engine in memory opens no weight file. */
export class HeldBlobs implements BlobStore, AsyncDisposable {
  readonly #model: SimulatedModel

  constructor(model: SimulatedModel) {
    this.#model = model
  }

  async find(sha256: string): Promise<string> {
    return `memory:${sha256}`
  }

  async read(sha256: string): Promise<Uint8Array> {
    if (sha256 === this.#model.placeable.manifestSha256) return this.#model.manifestBytes
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
