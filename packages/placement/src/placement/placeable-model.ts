import { captionMemory, sightMemory } from '@resultity/blip'
import { diffusionMemory, diffusionWork, workBytesPerLayer } from '@resultity/diffusion-model'
import {
  cutsOf,
  isBark,
  isCaptioner,
  isDiffusion,
  isEncoder,
  isSpeech,
  isVoice,
  kvBytesPerPosition,
  loadedBytes,
  type ModelManifest,
  requireDecoder
} from '@resultity/interface'
import { encoderMemory } from '@resultity/model'
import type { ModelShape } from '@resultity/planner'
import { barkMemory, barkWork, voiceMemory, voiceWork } from '@resultity/voice'
import { speechMemory } from '@resultity/whisper'

/** A model as placements need it: identity, sizes, and how it is to be served. */
export interface PlaceableModel {
  readonly name: string
  readonly manifest: ModelManifest
  /** Identity on the mesh: SHA-256 of the manifest's bytes, lower-case hex. */
  readonly manifestSha256: string
  readonly manifestBytes: number
  /** Positions of one KV slot; tokens of an encoder's longest input. */
  readonly contextLength: number
  /** KV slots of each stage; jobs that a model which is served whole takes at once. */
  readonly sessionsMax: number
}

/** The sizes of `model` that the planner needs. */
export function shapeOf(model: PlaceableModel): ModelShape {
  const { manifest, contextLength, sessionsMax } = model
  const layerBytes = manifest.layers.map(file => file.bytes)
  if (isEncoder(manifest)) {
    const { embedding, head } = manifest
    const embeddingBytes = embedding.bytes + (head?.bytes ?? 0) + encoderMemory(manifest).workBytes
    return { layerBytes, embeddingBytes, headBytes: 0, tiedEmbedding: false, kvBytesPerLayer: 0 }
  }
  if (isVoice(manifest) || isBark(manifest)) {
    const { weightBytes, workBytes } = isBark(manifest) ? barkMemory(manifest) : voiceMemory(manifest)
    const inLayers = layerBytes.reduce((sum, bytes) => sum + bytes, 0)
    // styles of speakers, and what they have said, lie in files of their own
    const embeddingBytes = weightBytes - inLayers + workBytes
    return { layerBytes, embeddingBytes, headBytes: 0, tiedEmbedding: false, kvBytesPerLayer: 0 }
  }
  if (isDiffusion(manifest)) {
    const ends = { headBytes: 0, tiedEmbedding: false, kvBytesPerLayer: 0 }
    const cuts = cutsOf(manifest) ?? []
    if (cuts.length > 0) return { layerBytes, ...ends, embeddingBytes: 0, workBytes: workBytesPerLayer(manifest), cuts }
    const { weightBytes, workBytes } = diffusionMemory(manifest)
    const inLayers = layerBytes.reduce((sum, bytes) => sum + bytes, 0)
    // of half-precision files, what they are more in memory
    return { layerBytes, ...ends, embeddingBytes: Math.max(0, weightBytes - inLayers) + workBytes }
  }
  if (isSpeech(manifest)) {
    const { weightBytes, cacheBytes, workBytes } = speechMemory({
      manifest,
      windowsMax: sessionsMax,
      sessionsPerWindow: 1
    })
    const inLayers = layerBytes.reduce((sum, bytes) => sum + bytes, 0)
    const embeddingBytes = weightBytes - inLayers + cacheBytes + workBytes
    return { layerBytes, embeddingBytes, headBytes: 0, tiedEmbedding: false, kvBytesPerLayer: 0 }
  }
  if (isCaptioner(manifest)) {
    const { weightBytes, cacheBytes, workBytes } = captionMemory({ manifest, picturesMax: sessionsMax })
    const inLayers = layerBytes.reduce((sum, bytes) => sum + bytes, 0)
    const embeddingBytes = weightBytes - inLayers + cacheBytes + workBytes
    return { layerBytes, embeddingBytes, headBytes: 0, tiedEmbedding: false, kvBytesPerLayer: 0 }
  }
  const { layers, embedding, head, config, sight } = requireDecoder(manifest)
  const { weightBytes, workBytes } = sight ? sightMemory(sight, config.hiddenSize) : { weightBytes: 0, workBytes: 0 }
  return {
    layerBytes: layers.map(file => loadedBytes(file)),
    embeddingBytes: embedding.bytes,
    // beside the first stage, and nowhere else
    firstBytes: weightBytes + workBytes,
    // what a tied table takes more where it is multiplied by
    headBytes: loadedBytes(head) + (config.tiedEmbedding ? loadedBytes(embedding) - embedding.bytes : 0),
    tiedEmbedding: config.tiedEmbedding,
    kvBytesPerLayer: kvBytesPerPosition(config) * contextLength * sessionsMax
  }
}

/** Weights that one position is multiplied by on one layer. */
export function weightsPerLayer(manifest: ModelManifest): number {
  if (isEncoder(manifest)) {
    const { hiddenSize, intermediateSize } = manifest.config
    return hiddenSize * (4 * hiddenSize + 2 * intermediateSize)
  }
  if (isVoice(manifest)) return voiceWork(manifest)
  if (isBark(manifest)) return barkWork(manifest.config)
  if (isSpeech(manifest)) {
    const { hiddenSize, encoderFeedForwardSize } = manifest.config
    return hiddenSize * (4 * hiddenSize + 2 * encoderFeedForwardSize)
  }
  if (isDiffusion(manifest)) {
    return diffusionWork(manifest) / manifest.layers.length
  }
  if (isCaptioner(manifest)) {
    const { hiddenSize, feedForwardSize } = manifest.config.text
    return hiddenSize * (6 * hiddenSize + 2 * feedForwardSize)
  }
  const { hiddenSize, intermediateSize, headCount, kvHeadCount, headDim, traits } = requireDecoder(manifest).config
  const experts = traits?.experts
  const width = experts === undefined ? intermediateSize : experts.used * experts.size + (experts.sharedSize ?? 0)
  return hiddenSize * (headDim * (2 * headCount + 2 * kvHeadCount) + 3 * width)
}
