import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  encodeGgufHeader,
  type GgufContent,
  type GgufEntry,
  type GgufTensorContent,
  type LlamaShape,
  memorySource,
  parseSafetensors,
  randomGguf
} from '@resultity/formats'

/** The committed model, seen from `dist/test`. */
export const TINY_CHAT = fileURLToPath(new URL('../../models/tiny-chat', import.meta.url))

/** An answer of the reference implementation. */
export interface GoldenAnswer {
  readonly prompt: string
  readonly prompt_ids: readonly number[]
  readonly completion: string
  readonly completion_ids: readonly number[]
}

export function readGolden(): GoldenAnswer[] {
  return JSON.parse(readFileSync(`${TINY_CHAT}/golden.json`, 'utf8'))
}

export const TINY_SHAPE: LlamaShape = {
  layerCount: 2,
  hiddenSize: 64,
  intermediateSize: 96,
  headCount: 4,
  kvHeadCount: 2,
  vocabularySize: 300,
  contextLength: 128,
  tiedEmbedding: false
}

/** A tiny random model whose metadata or tensors a test then changes. */
export function tinyGguf(shape: LlamaShape = TINY_SHAPE): GgufContent {
  return randomGguf({ shape, seed: 7, encoding: 'Q4_0' })
}

export function withMetadata(content: GgufContent, metadata: Record<string, GgufEntry | undefined>): GgufContent {
  const entries = Object.entries({ ...content.metadata, ...metadata })
  const kept = entries.filter((entry): entry is [string, GgufEntry] => entry[1] !== undefined)
  return { ...content, metadata: Object.fromEntries(kept) }
}

/** Replaces the tensor `name`, or leaves it out. */
export function withTensor(
  content: GgufContent,
  name: string,
  change: (tensor: GgufTensorContent) => GgufTensorContent[]
): GgufContent {
  return { ...content, tensors: content.tensors.flatMap(tensor => (tensor.name === name ? change(tensor) : [tensor])) }
}

export function floatTensor(name: string, shape: number[], values: ArrayLike<number>): GgufTensorContent {
  const bytes = new Uint8Array(Float32Array.from(values).buffer)
  return { name, encoding: 'F32', shape, chunks: () => [bytes] }
}

/** The whole file. */
export function ggufBytes(content: GgufContent): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [encodeGgufHeader(content)]
  for (const tensor of content.tensors) {
    const data = Buffer.concat([...tensor.chunks()])
    parts.push(data, new Uint8Array((32 - (data.byteLength % 32)) % 32))
  }
  return new Uint8Array(Buffer.concat(parts))
}

export function safetensorsBytes(header: unknown, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const length = new Uint8Array(new BigUint64Array([BigInt(text.byteLength)]).buffer)
  return new Uint8Array(Buffer.concat([length, text, data]))
}

export interface TinyChatTensor {
  readonly shape: readonly number[]
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** All tensors of tiny-chat, f16, in the order of its file. */
export function tinyChatTensors(): Map<string, TinyChatTensor> {
  using file = memorySource('tiny-chat', readFileSync(`${TINY_CHAT}/model.safetensors`))
  const entries = [...parseSafetensors(file)]
  return new Map(entries.map(([name, { shape, offset, bytes }]) => [name, { shape, bytes: file.read(offset, bytes) }]))
}
