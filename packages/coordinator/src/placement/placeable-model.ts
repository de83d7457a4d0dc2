import { kvBytesPerPosition, type ModelConfig, type ModelManifest } from '@resultity/interface'
import type { ModelShape } from '@resultity/planner'

/** A model as placements need it: identity, sizes, and how it is to be served. */
export interface PlaceableModel {
  readonly name: string
  readonly manifest: ModelManifest
  /** Identity on the mesh: SHA-256 of the manifest's bytes, lower-case hex. */
  readonly manifestSha256: string
  readonly manifestBytes: number
  /** Positions of one KV slot. */
  readonly contextLength: number
  /** KV slots of each stage. */
  readonly sessionsMax: number
}

/** What the planner has to know of `model`. */
export function shapeOf(model: PlaceableModel): ModelShape {
  const { manifest, contextLength, sessionsMax } = model
  return {
    layerBytes: manifest.layers.map(file => file.bytes),
    embeddingBytes: manifest.embedding.bytes,
    headBytes: manifest.head.bytes,
    tiedEmbedding: manifest.config.tiedEmbedding,
    kvBytesPerLayer: kvBytesPerPosition(manifest.config) * contextLength * sessionsMax
  }
}

/** Weights that one position is multiplied by on one layer. */
export function weightsPerLayer(config: ModelConfig): number {
  const attention = config.headDim * (2 * config.headCount + 2 * config.kvHeadCount)
  return config.hiddenSize * (attention + 3 * config.intermediateSize)
}
