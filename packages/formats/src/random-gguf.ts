import type { GgufContent, GgufEntry, GgufTensorContent, GgufWriteOptions } from './gguf-writer.ts'
import { writeGguf } from './gguf-writer.ts'
import { storageUnit } from './quantization/encoding.ts'
import { RandomBits } from './random-bits.ts'

/** Sizes of a Llama. */
export interface LlamaShape {
  readonly layerCount: number
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly headCount: number
  readonly kvHeadCount: number
  /** At least {@link VOCABULARY_MIN}: the special and the byte tokens. */
  readonly vocabularySize: number
  readonly contextLength: number
  readonly tiedEmbedding: boolean
}

/** The shape that our comparisons with llama.cpp use: 1.1 G parameters, as TinyLlama has. */
export const LLAMA_1_1B: LlamaShape = {
  layerCount: 22,
  hiddenSize: 2048,
  intermediateSize: 5632,
  headCount: 32,
  kvHeadCount: 4,
  vocabularySize: 32_000,
  contextLength: 8192,
  tiedEmbedding: false
}

export type RandomEncoding = 'F32' | 'Q4_0' | 'Q4_1' | 'Q8_0'

export interface RandomGgufInit extends GgufWriteOptions {
  readonly shape: LlamaShape
  /** Same seed, same bytes. */
  readonly seed: number
  /** Of every matrix; norms are F32. */
  readonly encoding: RandomEncoding
}

/** Special tokens and 256 byte tokens. */
export const VOCABULARY_MIN = 259

/** The usual standard deviation of a fresh model's weights: activations neither vanish nor overflow. */
const WEIGHT_DEVIATION = 0.02
const CHUNK_BYTES = 1024 * 1024

/** Standard deviation of the quantized values of a block whose bits are random. */
const valueDeviations = { Q4_0: 4.61, Q4_1: 4.61, Q8_0: 73.9 } as const

/** `general.file_type` of llama.cpp: what most matrices are. */
const fileTypes: Readonly<Record<RandomEncoding, number>> = { F32: 0, Q4_0: 2, Q4_1: 3, Q8_0: 7 }

/**
 * Writes a GGUF file of random weights that our importer and llama.cpp load: for measuring speed, which does not depend
 * on what the weights say. Streams; memory stays at some megabytes.
 */
export async function writeRandomGguf(path: string, init: RandomGgufInit): Promise<void> {
  await writeGguf(path, randomGguf(init), init)
}

/** The content that {@link writeRandomGguf} writes. */
export function randomGguf({ shape, seed, encoding }: RandomGgufInit): GgufContent {
  const { hiddenSize, intermediateSize, headCount, kvHeadCount, vocabularySize } = shape
  const bits = new RandomBits(seed)
  const kvSize = (hiddenSize / headCount) * kvHeadCount
  const matrix = (name: string, columns: number, rows: number): GgufTensorContent => ({
    name: `${name}.weight`,
    encoding,
    shape: [columns, rows],
    chunks: () => randomBlocks(bits, encoding, columns * rows)
  })
  const norm = (name: string): GgufTensorContent => ({
    name: `${name}.weight`,
    encoding: 'F32',
    shape: [hiddenSize],
    chunks: () => [new Uint8Array(new Float32Array(hiddenSize).fill(1).buffer)]
  })
  const layer = (index: number): GgufTensorContent[] => [
    norm(`blk.${index}.attn_norm`),
    matrix(`blk.${index}.attn_q`, hiddenSize, hiddenSize),
    matrix(`blk.${index}.attn_k`, hiddenSize, kvSize),
    matrix(`blk.${index}.attn_v`, hiddenSize, kvSize),
    matrix(`blk.${index}.attn_output`, hiddenSize, hiddenSize),
    norm(`blk.${index}.ffn_norm`),
    matrix(`blk.${index}.ffn_gate`, hiddenSize, intermediateSize),
    matrix(`blk.${index}.ffn_up`, hiddenSize, intermediateSize),
    matrix(`blk.${index}.ffn_down`, intermediateSize, hiddenSize)
  ]
  const tensors = [matrix('token_embd', hiddenSize, vocabularySize)]
  for (let index = 0; index < shape.layerCount; index += 1) tensors.push(...layer(index))
  tensors.push(norm('output_norm'))
  if (!shape.tiedEmbedding) tensors.push(matrix('output', hiddenSize, vocabularySize))
  return { metadata: { ...modelMetadata(shape, encoding), ...vocabularyMetadata(vocabularySize) }, tensors }
}

function modelMetadata(shape: LlamaShape, encoding: RandomEncoding): Record<string, GgufEntry> {
  return {
    'general.architecture': { type: 'string', value: 'llama' },
    'general.name': { type: 'string', value: 'random weights' },
    'general.file_type': { type: 'u32', value: fileTypes[encoding] },
    'general.quantization_version': { type: 'u32', value: 2 },
    'llama.block_count': { type: 'u32', value: shape.layerCount },
    'llama.context_length': { type: 'u32', value: shape.contextLength },
    'llama.embedding_length': { type: 'u32', value: shape.hiddenSize },
    'llama.feed_forward_length': { type: 'u32', value: shape.intermediateSize },
    'llama.attention.head_count': { type: 'u32', value: shape.headCount },
    'llama.attention.head_count_kv': { type: 'u32', value: shape.kvHeadCount },
    'llama.attention.layer_norm_rms_epsilon': { type: 'f32', value: 1e-5 },
    'llama.rope.dimension_count': { type: 'u32', value: shape.hiddenSize / shape.headCount },
    'llama.rope.freq_base': { type: 'f32', value: 10_000 },
    'llama.vocab_size': { type: 'u32', value: shape.vocabularySize }
  }
}

/** A SentencePiece vocabulary in which every text is spelled in bytes; the other pieces have no meaning. */
function vocabularyMetadata(size: number): Record<string, GgufEntry> {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
  // the first stands for a space, so that a text survives its round trip
  const pieces = Array.from({ length: size - VOCABULARY_MIN }, (_, index) => (index === 0 ? '▁' : `▁piece${index}`))
  // 2 unknown, 3 control, 6 byte, 1 normal
  const types = [2, 3, 3, ...bytes.map(() => 6), ...pieces.map(() => 1)]
  return {
    'tokenizer.ggml.model': { type: 'string', value: 'llama' },
    'tokenizer.ggml.tokens': { type: 'string', value: ['<unk>', '<s>', '</s>', ...bytes, ...pieces] },
    'tokenizer.ggml.scores': { type: 'f32', value: types.map((type, index) => (type === 1 ? -index : 0)) },
    'tokenizer.ggml.token_type': { type: 'i32', value: types },
    'tokenizer.ggml.bos_token_id': { type: 'u32', value: 1 },
    'tokenizer.ggml.eos_token_id': { type: 'u32', value: 2 },
    'tokenizer.ggml.unknown_token_id': { type: 'u32', value: 0 },
    'tokenizer.ggml.add_bos_token': { type: 'bool', value: true }
  }
}

function* randomBlocks(bits: RandomBits, encoding: RandomEncoding, weights: number): Generator<Uint8Array> {
  const unit = storageUnit(encoding)
  const unitsPerChunk = Math.floor(CHUNK_BYTES / unit.bytes)
  for (let left = weights / unit.weights; left > 0; left -= unitsPerChunk) {
    const units = Math.min(left, unitsPerChunk)
    const words = new Uint32Array(Math.ceil((units * unit.bytes) / 4))
    bits.fill(words)
    const chunk = new Uint8Array(words.buffer, 0, units * unit.bytes)
    if (encoding === 'F32') scaleFloats(words)
    else setScales(chunk, encoding, unit.bytes)
    yield chunk
  }
}

/** Turns random words into floats, in place: uniform, with the wanted deviation. */
function scaleFloats(words: Uint32Array): void {
  const floats = new Float32Array(words.buffer)
  const width = WEIGHT_DEVIATION * Math.sqrt(12)
  for (let index = 0; index < words.length; index += 1) floats[index] = ((words[index] ?? 0) / 2 ** 32 - 0.5) * width
}

/** Overwrites the random bits where a block's scale, and its minimum, belong. */
function setScales(chunk: Uint8Array, encoding: 'Q4_0' | 'Q4_1' | 'Q8_0', blockBytes: number): void {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  const middle = WEIGHT_DEVIATION / valueDeviations[encoding]
  for (let block = 0; block < chunk.byteLength; block += blockBytes) {
    // scales differ from block to block, as real ones do
    const scale = middle * (0.75 + view.getUint8(block) / 512)
    view.setFloat16(block, scale, true)
    if (encoding === 'Q4_1') view.setFloat16(block + 2, -7.5 * scale, true)
  }
}
