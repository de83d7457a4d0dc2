import { createHash } from 'node:crypto'
import {
  type BlobStore,
  type BlobWriter,
  type DecoderManifest,
  MeshError,
  requireDecoder,
  type WeightFile
} from '@resultity/interface'
import { placeable } from '@resultity/test-nodes'

/** A model, and a store that has its blobs; the engine in memory opens no weight file. */
export interface HeldModel {
  readonly manifest: DecoderManifest
  readonly manifestSha256: string
  readonly manifestBytes: number
  readonly contextLength: number
  readonly sessionsMax: number
  readonly store: BlobStore & AsyncDisposable
}

export function heldModel(layers: number): HeldModel {
  const { manifest: anyKind, contextLength, sessionsMax } = placeable(layers)
  const specimen = requireDecoder(anyKind)
  const manifest: DecoderManifest = {
    ...specimen,
    embedding: withTensor(specimen.embedding),
    layers: specimen.layers.map(withTensor),
    head: withTensor(specimen.head)
  }
  const bytes = new TextEncoder().encode(JSON.stringify(manifest))
  const manifestSha256 = createHash('sha256').update(bytes).digest('hex')
  const { definition, config } = manifest.tokenizer
  const files = [definition, config, manifest.embedding, ...manifest.layers, manifest.head]
  const held = new Set([manifestSha256, ...files.map(({ sha256 }) => sha256)])
  const refuse = async (): Promise<never> => {
    throw new MeshError('resource_exhausted', 'this store takes no blobs')
  }
  const writer: BlobWriter = { offset: 0, write: async () => {}, commit: refuse, release: async () => {} }
  const store = {
    find: async (sha256: string): Promise<string | undefined> => (held.has(sha256) ? `memory:${sha256}` : undefined),
    read: async () => bytes,
    put: refuse,
    writer: async () => writer,
    async [Symbol.asyncDispose]() {}
  }
  return { manifest, manifestSha256, manifestBytes: bytes.length, contextLength, sessionsMax, store }
}

/** The share of a stage's layers in its weights is counted by tensors. */
function withTensor(file: WeightFile): WeightFile {
  const bytes = 4
  const tensor = { name: 'w', encoding: 'f32' as const, shape: [1], data: { offset: 0, bytes } }
  return { ...file, bytes: Math.max(file.bytes, bytes), tensors: [tensor] }
}
