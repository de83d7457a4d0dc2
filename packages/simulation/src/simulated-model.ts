import { createHash } from 'node:crypto'
import { type DecoderManifest, parseModelManifest, requireDecoder, type WeightFile } from '@resultity/interface'
import type { ServedDecoder } from '@resultity/placement'
import { PromptEncoder } from '@resultity/tokenizer'
import { HeldBlobs } from './held-blobs.ts'

const LAYERS = 8
const HIDDEN_SIZE = 8
/** The least that is served. */
const HEAD_DIM = 16
const CONTEXT_LENGTH = 128
const SESSIONS_MAX = 3

/** One character each, and the end. */
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.'
const END = '<end>'
const VOCABULARY_SIZE = LETTERS.length + 1
const END_TOKEN = LETTERS.length

/** A model for the engine in memory: real manifest and tokenizer, and no weights. */
export interface SimulatedModel {
  readonly manifest: DecoderManifest
  /** The manifest, and the tokenizer's files. */
  readonly blobs: HeldBlobs
  readonly served: ServedDecoder
}

export async function simulatedModel(): Promise<SimulatedModel> {
  const definition = toBytes(tokenizerDefinition())
  const config = toBytes({ clean_up_tokenization_spaces: false })
  const manifest: DecoderManifest = {
    version: 1,
    name: 'simulated',
    architecture: 'llama',
    config: {
      layerCount: LAYERS,
      hiddenSize: HIDDEN_SIZE,
      intermediateSize: 2 * HIDDEN_SIZE,
      headCount: 1,
      kvHeadCount: 1,
      headDim: HEAD_DIM,
      vocabularySize: VOCABULARY_SIZE,
      contextLength: CONTEXT_LENGTH,
      rmsNormEpsilon: 1e-5,
      ropeTheta: 10_000,
      ropeScaling: { type: 'none' },
      tiedEmbedding: false
    },
    tokenizer: {
      definition: { sha256: sha256(definition), bytes: definition.length },
      config: { sha256: sha256(config), bytes: config.length },
      endTokenIds: [END_TOKEN]
    },
    embedding: weights('embedding'),
    layers: Array.from({ length: LAYERS }, (_, index) => weights(`layer ${index}`)),
    head: weights('head')
  }
  const manifestBytes = toBytes(manifest)
  const manifestSha256 = sha256(manifestBytes)
  const blobs = new HeldBlobs(new Map([definition, config, manifestBytes].map(bytes => [sha256(bytes), bytes])))
  const prompts = await PromptEncoder.open(manifest, CONTEXT_LENGTH, blobs)
  const placeable = {
    name: manifest.name,
    manifest,
    manifestSha256,
    manifestBytes: manifestBytes.length,
    contextLength: CONTEXT_LENGTH,
    sessionsMax: SESSIONS_MAX
  }
  const { name: id } = manifest
  return {
    manifest: requireDecoder(parseModelManifest(manifestSha256, manifestBytes)),
    blobs,
    served: { kind: 'decoder', id, aliases: [], createdAt: 0, placeable, prompts, tokenizer: prompts.tokenizer }
  }
}

/** A file of one tensor, of which there are no bytes. */
function weights(name: string): WeightFile {
  const bytes = 4096
  const data = { offset: 0, bytes }
  return { sha256: sha256(toBytes(name)), bytes, tensors: [{ name: 'w', encoding: 'f32', shape: [bytes / 4], data }] }
}

function tokenizerDefinition() {
  const vocabulary = Object.fromEntries([...LETTERS].map((letter, index) => [letter, index]))
  const end = { id: END_TOKEN, content: END, special: true }
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
  return {
    version: '1.0',
    added_tokens: [{ ...end, single_word: false, lstrip: false, rstrip: false, normalized: false }],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: { type: 'BPE', vocab: vocabulary, merges: [] }
  }
}

function toBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
