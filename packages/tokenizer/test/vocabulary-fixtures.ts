import type { DecoderManifest } from '@resultity/interface'

/** As much of a manifest as a vocabulary is read by. */
export function tinyChatManifest(definitionBytes: number): DecoderManifest {
  const file = { sha256: '0'.repeat(64), bytes: 1, tensors: [] }
  return {
    version: 1,
    name: 'tiny-chat',
    architecture: 'llama',
    config: {
      layerCount: 1,
      hiddenSize: 128,
      intermediateSize: 384,
      headCount: 8,
      kvHeadCount: 4,
      headDim: 16,
      vocabularySize: 768,
      contextLength: 512,
      rmsNormEpsilon: 1e-5,
      ropeTheta: 10_000,
      ropeScaling: { type: 'none' },
      tiedEmbedding: true
    },
    tokenizer: {
      definition: { sha256: '1'.repeat(64), bytes: definitionBytes },
      config: { sha256: '2'.repeat(64), bytes: 1 },
      endTokenIds: [6]
    },
    embedding: file,
    layers: [file],
    head: file
  }
}
