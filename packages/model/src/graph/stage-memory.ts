import { sightMemory } from '@resultity/blip'
import {
  type DecoderManifest,
  kvBytesPerPosition,
  type LayerRange,
  layerCount,
  loadedBytes,
  stageFiles
} from '@resultity/interface'

export interface StageMemoryInit {
  readonly manifest: DecoderManifest
  readonly range: LayerRange
  /** Longest session, in positions. */
  readonly contextLength: number
  /** Sessions open at once. */
  readonly sessionsMax: number
}

export interface StageMemory {
  /** Bytes of the weight files that the stage opens, as they are in memory. */
  readonly weightBytes: number
  /** Bytes of all KV caches when every session is as long as it may be. */
  readonly kvBytes: number
  /** Bytes that looking at pictures needs beside its weights, on the first stage of a model that reads them. */
  readonly sightBytes?: number
}

/** What a stage of `range` needs. Pure; the planner's input and the node's admission check. */
export function stageMemory({ manifest, range, contextLength, sessionsMax }: StageMemoryInit): StageMemory {
  const { embedding, config, sight } = manifest
  const multiplies = config.tiedEmbedding && range.end === config.layerCount
  const files = new Map(
    stageFiles(manifest, range).map(file => {
      const lookedUp = file.sha256 === embedding.sha256 && !multiplies
      return [file.sha256, loadedBytes(file, { lookedUp })]
    })
  )
  const looks = sight !== undefined && range.first === 0
  return {
    ...(looks ? { sightBytes: sightMemory(sight, config.hiddenSize).workBytes } : {}),
    weightBytes: [...files.values()].reduce((sum, bytes) => sum + bytes, 0),
    kvBytes: kvBytesPerPosition(manifest.config) * layerCount(range) * contextLength * sessionsMax
  }
}
