import { rename, rm } from 'node:fs/promises'
import type { AbortOptions, BlobProgress } from '@resultity/interface'
import { MeshError } from '@resultity/interface'
import { type SourceEncoding, storageUnit } from './quantization/encoding.ts'
import { WrittenFile } from './written-file.ts'

/** A metadata value with its type of gguf.md, which JavaScript's numbers do not have. */
export type GgufEntry =
  | { readonly type: 'u32' | 'i32' | 'f32'; readonly value: number | readonly number[] }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string | readonly string[] }

export interface GgufTensorContent {
  readonly name: string
  readonly encoding: SourceEncoding
  /** ggml's order: `[columns]` or `[columns, rows]`. */
  readonly shape: readonly number[]
  /** The tensor's bytes, as many as shape and encoding imply. */
  chunks(): Iterable<Uint8Array>
}

export interface GgufContent {
  readonly metadata: Readonly<Record<string, GgufEntry>>
  readonly tensors: readonly GgufTensorContent[]
}

export interface GgufWriteOptions extends AbortOptions {
  onProgress?(progress: BlobProgress): void
}

const VERSION = 3
const ALIGNMENT = 32
const typeNumbers = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const
const encodingNumbers: Readonly<Record<SourceEncoding, number>> = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q5_0: 6,
  Q5_1: 7,
  Q8_0: 8,
  Q4_K: 12,
  Q5_K: 13,
  Q6_K: 14,
  BF16: 30
}

/**
 * Writes a GGUF file (version 3), visible under its name only when complete.
 * @throws MeshError `resource_exhausted` when the disk is full; `canceled`
 */
export async function writeGguf(path: string, content: GgufContent, options: GgufWriteOptions = {}): Promise<void> {
  const temporary = `${path}.partial-${process.pid}`
  await rm(temporary, { force: true })
  const file = await WrittenFile.open(temporary, 0)
  try {
    await file.append(encodeGgufHeader(content))
    const bytesTotal = file.bytes + content.tensors.reduce((sum, tensor) => sum + aligned(tensorBytes(tensor)), 0)
    for (const tensor of content.tensors) {
      for (const chunk of tensor.chunks()) {
        options.signal?.throwIfAborted()
        await file.append(chunk)
        options.onProgress?.({ bytesDone: file.bytes, bytesTotal })
      }
      await file.append(new Uint8Array(aligned(file.bytes) - file.bytes))
    }
    await file.finish()
    await rename(temporary, path)
  } catch (error) {
    await file.delete()
    throw MeshError.from(error)
  }
}

/** The header, padded to where the first tensor's data starts. */
export function encodeGgufHeader({ metadata, tensors }: GgufContent): Uint8Array<ArrayBuffer> {
  const header = new ByteWriter()
  header.text('GGUF')
  header.u32(VERSION)
  header.u64(tensors.length)
  header.u64(Object.keys(metadata).length)
  for (const [key, entry] of Object.entries(metadata)) {
    header.string(key)
    writeEntry(header, entry)
  }
  let offset = 0
  for (const tensor of tensors) {
    header.string(tensor.name)
    header.u32(tensor.shape.length)
    for (const dimension of tensor.shape) header.u64(dimension)
    header.u32(encodingNumbers[tensor.encoding])
    header.u64(offset)
    offset += aligned(tensorBytes(tensor))
  }
  return header.padded(ALIGNMENT)
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT
}

function tensorBytes({ encoding, shape }: GgufTensorContent): number {
  const unit = storageUnit(encoding)
  return (shape.reduce((product, dimension) => product * dimension, 1) / unit.weights) * unit.bytes
}

function writeEntry(header: ByteWriter, { type, value }: GgufEntry): void {
  if (typeof value === 'object') {
    header.u32(typeNumbers.array)
    header.u32(typeNumbers[type])
    header.u64(value.length)
    for (const element of value) writeScalar(header, type, element)
  } else {
    header.u32(typeNumbers[type])
    writeScalar(header, type, value)
  }
}

function writeScalar(header: ByteWriter, type: GgufEntry['type'], value: number | boolean | string): void {
  if (typeof value === 'string') header.string(value)
  else if (typeof value === 'boolean') header.u8(value ? 1 : 0)
  else if (type === 'f32') header.f32(value)
  else header.u32(value >>> 0)
}

/** Little-endian primitives into a buffer that grows. */
class ByteWriter {
  readonly #encoder = new TextEncoder()
  #view = new DataView(new ArrayBuffer(1024))
  #bytes = 0

  u8(value: number): void {
    const at = this.#reserve(1)
    this.#view.setUint8(at, value)
  }

  u32(value: number): void {
    const at = this.#reserve(4)
    this.#view.setUint32(at, value, true)
  }

  u64(value: number): void {
    const at = this.#reserve(8)
    this.#view.setBigUint64(at, BigInt(value), true)
  }

  f32(value: number): void {
    const at = this.#reserve(4)
    this.#view.setFloat32(at, value, true)
  }

  string(value: string): void {
    this.u64(Buffer.byteLength(value))
    this.text(value)
  }

  text(value: string): void {
    const bytes = this.#encoder.encode(value)
    const at = this.#reserve(bytes.byteLength)
    new Uint8Array(this.#view.buffer).set(bytes, at)
  }

  padded(alignment: number): Uint8Array<ArrayBuffer> {
    this.#reserve((alignment - (this.#bytes % alignment)) % alignment)
    return new Uint8Array(this.#view.buffer.slice(0, this.#bytes))
  }

  #reserve(bytes: number): number {
    const at = this.#bytes
    this.#bytes += bytes
    if (this.#bytes > this.#view.byteLength) {
      const grown = new Uint8Array(Math.max(this.#bytes, 2 * this.#view.byteLength))
      grown.set(new Uint8Array(this.#view.buffer))
      this.#view = new DataView(grown.buffer)
    }
    return at
  }
}
