import { createHash } from 'node:crypto'
import { type BlobStore, type BlobWriter, MeshError, type ModelManifest } from '@resultity/interface'
import { placeable } from '@resultity/test-nodes'

/** A model, and a store that has its blobs; the engine in memory opens no weight file. */
export interface HeldModel {
  readonly manifest: ModelManifest
  readonly manifestSha256: string
  readonly manifestBytes: number
  readonly contextLength: number
  readonly sessionsMax: number
  readonly store: BlobStore & AsyncDisposable
}

export function heldModel(layers: number): HeldModel {
  const { manifest, contextLength, sessionsMax } = placeable(layers)
  const bytes = new TextEncoder().encode(JSON.stringify(manifest))
  const manifestSha256 = createHash('sha256').update(bytes).digest('hex')
  const { definition, config } = manifest.tokenizer
  const weights = [definition, config, manifest.embedding, ...manifest.layers, ...('head' in manifest ? [manifest.head] : [])]
  const held = new Set([manifestSha256, ...weights.flatMap(file => (file === undefined ? [] : [file.sha256]))])
  const refuse = async (): Promise<never> => {
    throw new MeshError('resource_exhausted', 'this store takes no blobs')
  }
  const store = {
    find: async (sha256: string): Promise<string | undefined> => (held.has(sha256) ? `memory:${sha256}` : undefined),
    read: async () => bytes,
    put: refuse,
    writer: async (): Promise<BlobWriter> => ({ offset: 0, write: async () => {}, commit: refuse, release: async () => {} }),
    async [Symbol.asyncDispose]() {}
  }
  return { manifest, manifestSha256, manifestBytes: bytes.length, contextLength, sessionsMax, store }
}
