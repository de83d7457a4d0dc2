import { allFinite } from './finite.ts'

/** Length of the head's length, and of each block's. */
const LENGTH_BYTES = 4

/** Blocks of one message. */
const BLOCKS_MAX = 16

/** JSON, and bytes behind it that would be a third longer in base64. */
export interface BytesMessage {
  readonly head: unknown
  readonly blocks: readonly Uint8Array[]
}

/** `u32 length, JSON in UTF-8` and for each block `u32 length, bytes`; lengths little endian. */
export function writeBytesMessage({ head, blocks }: BytesMessage): Uint8Array<ArrayBuffer> {
  const parts = [new TextEncoder().encode(JSON.stringify(head)), ...blocks]
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + LENGTH_BYTES + part.length, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const part of parts) {
    view.setUint32(at, part.length, true)
    bytes.set(part, at + LENGTH_BYTES)
    at += LENGTH_BYTES + part.length
  }
  return bytes
}

/**
 * What {@link writeBytesMessage} wrote, come from outside.
 *
 * @param headBytesMax of the JSON; a longer one is not read
 * @returns blocks that are views of `bytes`; undefined where it is no such message to its last byte
 */
export function readBytesMessage(bytes: Uint8Array, headBytesMax: number): BytesMessage | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const parts: Uint8Array[] = []
  for (let at = 0; at < bytes.length; ) {
    if (parts.length > BLOCKS_MAX || at + LENGTH_BYTES > bytes.length) return undefined
    const end = at + LENGTH_BYTES + view.getUint32(at, true)
    if (end > bytes.length) return undefined
    parts.push(bytes.subarray(at + LENGTH_BYTES, end))
    at = end
  }
  const [text, ...blocks] = parts
  if (text === undefined || text.length > headBytesMax) return undefined
  try {
    return { head: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text)), blocks }
  } catch {
    return undefined
  }
}

/** Numbers as a block carries them: f32, little endian. */
export function toFloatBlock(values: Float32Array): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(values.length * Float32Array.BYTES_PER_ELEMENT))
  for (let at = 0; at < values.length; at++) view.setFloat32(4 * at, values[at] ?? 0, true)
  return new Uint8Array(view.buffer)
}

/** The numbers of a block. @returns undefined where it is not `count` of them, or one is not finite */
export function fromFloatBlock(block: Uint8Array | undefined, count: number): Float32Array<ArrayBuffer> | undefined {
  if (block?.length !== count * Float32Array.BYTES_PER_ELEMENT) return undefined
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength)
  const values = new Float32Array(count)
  for (let at = 0; at < count; at++) values[at] = view.getFloat32(4 * at, true)
  return allFinite(values) ? values : undefined
}
