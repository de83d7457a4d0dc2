import { encodeGgufHeader, type GgufContent, type GgufEntry, type GgufTensorContent } from '../src/gguf-writer.ts'

export function withEntries(content: GgufContent, entries: Record<string, GgufEntry>): GgufContent {
  return { ...content, metadata: { ...content.metadata, ...entries } }
}

export function floatTensor(name: string, shape: number[], values: ArrayLike<number>): GgufTensorContent {
  const bytes = new Uint8Array(Float32Array.from(values).buffer)
  return { name, encoding: 'F32', shape, chunks: () => [bytes] }
}

/** A whole GGUF file. */
export function ggufBytes(content: GgufContent): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [encodeGgufHeader(content)]
  for (const tensor of content.tensors) {
    const data = Buffer.concat([...tensor.chunks()])
    parts.push(data, new Uint8Array((32 - (data.byteLength % 32)) % 32))
  }
  return new Uint8Array(Buffer.concat(parts))
}

/** A whole safetensors file. */
export function safetensorsBytes(header: unknown, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const length = new Uint8Array(new BigUint64Array([BigInt(text.byteLength)]).buffer)
  return new Uint8Array(Buffer.concat([length, text, data]))
}
