import { modelInvalid } from '@resultity/interface'
import type { ByteSource } from './byte-source.ts'

/** One read of the file; a header of 50,000 tokens is some 2 MB, and that of a part without metadata some kilobytes. */
export const GGUF_WINDOW_BYTES = 256 * 1024
/** Longest string of a header: chat templates reach some 100 kB. */
const STRING_BYTES_MAX = 16 * 1024 * 1024

/** Longest header: vocabularies of a few million tokens with their merges. Each byte of one may become 16 in memory. */
const HEADER_BYTES_MAX = 256 * 1024 * 1024
/** Entries of all arrays together. */
const ENTRIES_MAX = 16_777_216

/** Reads GGUF's little-endian primitives one after the other; never past the end of the file. */
export class GgufReader {
  readonly #source: ByteSource
  readonly #text = new TextDecoder()
  #window: DataView<ArrayBuffer> = new DataView(new ArrayBuffer(0))
  #windowStart = 0
  #position = 0
  #entries = 0

  constructor(source: ByteSource) {
    this.#source = source
  }

  get position(): number {
    return this.#position
  }

  get bytesLeft(): number {
    return this.#source.bytes - this.#position
  }

  u8(): number {
    const at = this.#take(1)
    return this.#window.getUint8(at)
  }

  i8(): number {
    const at = this.#take(1)
    return this.#window.getInt8(at)
  }

  u16(): number {
    const at = this.#take(2)
    return this.#window.getUint16(at, true)
  }

  i16(): number {
    const at = this.#take(2)
    return this.#window.getInt16(at, true)
  }

  u32(): number {
    const at = this.#take(4)
    return this.#window.getUint32(at, true)
  }

  i32(): number {
    const at = this.#take(4)
    return this.#window.getInt32(at, true)
  }

  f32(): number {
    const at = this.#take(4)
    return this.#window.getFloat32(at, true)
  }

  f64(): number {
    const at = this.#take(8)
    return this.#window.getFloat64(at, true)
  }

  u64(): bigint {
    const at = this.#take(8)
    return this.#window.getBigUint64(at, true)
  }

  i64(): bigint {
    const at = this.#take(8)
    return this.#window.getBigInt64(at, true)
  }

  /** A count or size: u64, at most `max`. */
  count(what: string, max: number): number {
    const at = this.#position
    const value = this.u64()
    if (value > BigInt(max)) throw this.invalid(`${what} at byte ${at} is ${value}, over the limit of ${max}`)
    return Number(value)
  }

  string(what: string): string {
    const bytes = this.count(`length of ${what}`, Math.min(STRING_BYTES_MAX, this.#source.bytes))
    const at = this.#take(bytes)
    return this.#text.decode(new Uint8Array(this.#window.buffer, at, bytes))
  }

  /** The length of an array whose entries have `bytesMin` or more each: no more than the file and memory hold. */
  entries(what: string, bytesMin: number): number {
    const left = Math.min(this.bytesLeft, HEADER_BYTES_MAX - this.#position)
    const count = this.count(what, Math.min(ENTRIES_MAX - this.#entries, Math.floor(left / bytesMin)))
    this.#entries += count
    return count
  }

  invalid(what: string): Error {
    return modelInvalid(this.#source.name, what)
  }

  /** Advances past `bytes` and returns where in the window they are. */
  #take(bytes: number): number {
    if (bytes > this.bytesLeft) {
      throw this.invalid(
        `the header is cut off: ${bytes} bytes are needed at byte ${this.#position}, the file has ${this.#source.bytes}`
      )
    }
    const end = this.#position + bytes
    if (end > HEADER_BYTES_MAX) throw this.invalid(`its header is longer than ${HEADER_BYTES_MAX} bytes`)
    if (end > this.#windowStart + this.#window.byteLength) {
      const length = Math.min(Math.max(bytes, GGUF_WINDOW_BYTES), this.bytesLeft)
      this.#window = new DataView(this.#source.read(this.#position, length).buffer)
      this.#windowStart = this.#position
    }
    const at = this.#position - this.#windowStart
    this.#position = end
    return at
  }
}
