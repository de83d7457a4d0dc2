import { crc8, crc16 } from '../decoding/flac-checksums.ts'
import type { AudioEncoder } from './audio-encoder.ts'
import { BitWriter } from './bit-writer.ts'

/** Samples of a frame, and the code that says so in its header (RFC 9639, section 9.1.1). */
const BLOCK = 4096
const BLOCK_CODE = 0b1100

/** Predictors of RFC 9639, section 9.2.5: each sample less what the ones before it say. */
const ORDERS = [0, 1, 2, 3, 4] as const

const RICE_MAX = 14

/** FLAC (RFC 9639) with its fixed predictors, 16 bits, one channel. Its header does not say how long it will be. */
export class FlacEncoder implements AudioEncoder {
  readonly #rate: number
  readonly #held = new Int16Array(BLOCK)
  #heldCount = 0
  #frames = 0
  #begun = false

  /** @param rate in Hz, below 655,350 */
  constructor(rate: number) {
    this.#rate = rate
  }

  encode(samples: Int16Array): Uint8Array {
    const parts = [this.#begin()]
    for (let at = 0; at < samples.length; ) {
      const some = samples.subarray(at, at + BLOCK - this.#heldCount)
      this.#held.set(some, this.#heldCount)
      this.#heldCount += some.length
      at += some.length
      if (this.#heldCount === BLOCK) parts.push(this.#frame())
    }
    return Buffer.concat(parts)
  }

  finish(): Uint8Array {
    return Buffer.concat([this.#begin(), this.#heldCount === 0 ? new Uint8Array() : this.#frame()])
  }

  #begin(): Uint8Array {
    if (this.#begun) return new Uint8Array()
    this.#begun = true
    const info = new BitWriter(64)
    info.write(BLOCK, 16)
    info.write(BLOCK, 16)
    // sizes of frames: unknown
    info.write(0, 24)
    info.write(0, 24)
    info.write(this.#rate, 20)
    // channels less 1, bits less 1, samples and their digest: unknown
    info.write(0, 3)
    info.write(15, 5)
    info.write(0, 4)
    info.write(0, 32)
    for (let word = 0; word < 4; word++) info.write(0, 32)
    // the last block of metadata, of type 0, 34 bytes
    return Buffer.concat([Buffer.from('fLaC', 'latin1'), Buffer.from([0x80, 0, 0, 34]), info.bytes()])
  }

  #frame(): Uint8Array {
    const samples = this.#held.slice(0, this.#heldCount)
    this.#heldCount = 0
    const header = frameHeader(samples.length, this.#frames++)
    const body = subframe(samples)
    const frame = Buffer.concat([header, Buffer.from([crc8(header, 0, header.length)]), body])
    const end = Buffer.alloc(2)
    end.writeUInt16BE(crc16(frame, 0, frame.length))
    return Buffer.concat([frame, end])
  }
}

function frameHeader(length: number, frame: number): Uint8Array {
  const bits = new BitWriter(16)
  // the sync code, frames of one size
  bits.write(0xfff8, 16)
  // a size that is no usual one stands behind the number, in 16 bits
  bits.write(length === BLOCK ? BLOCK_CODE : 0b0111, 4)
  // rate, channels and bits: as the beginning has it; one channel; 16 bits
  bits.write(0, 4)
  bits.write(0, 4)
  bits.write(0b100, 3)
  bits.write(0, 1)
  for (const byte of codedNumber(frame)) bits.write(byte, 8)
  if (length !== BLOCK) bits.write(length - 1, 16)
  return bits.bytes()
}

/** As UTF-8 codes characters, up to 31 bits. */
function codedNumber(value: number): number[] {
  if (value < 0x80) return [value]
  const bytes: number[] = []
  let rest = value
  for (let room = 0x3f; rest > room; room >>= 1) {
    bytes.unshift(0x80 | (rest & 0x3f))
    rest >>>= 6
  }
  const lead = (0xff << (7 - bytes.length)) & 0xff
  return [lead | rest, ...bytes]
}

/** By the predictor that leaves the least. */
function subframe(samples: Int16Array): Uint8Array {
  let best = { order: 0, rice: 0, bits: Number.POSITIVE_INFINITY, rest: new Int32Array() }
  let rest = Int32Array.from(samples)
  for (const order of ORDERS) {
    if (order > 0) rest = differences(rest)
    if (samples.length <= order) break
    const { rice, bits } = riceOf(rest.subarray(order))
    const all = bits + 16 * order
    if (all < best.bits) best = { order, rice, bits: all, rest }
  }
  const writer = new BitWriter(2 * samples.length)
  // no wasted bits
  writer.write(0b001000 | best.order, 7)
  writer.write(0, 1)
  for (let index = 0; index < best.order; index++) writer.write(samples[index] ?? 0, 16)
  // Rice codes of 4 bits of parameter, in one part
  writer.write(0, 2)
  writer.write(0, 4)
  writer.write(best.rice, 4)
  for (const value of best.rest.subarray(best.order)) {
    const folded = fold(value)
    writer.unary(folded >>> best.rice)
    writer.write(folded, best.rice)
  }
  return writer.bytes()
}

/** Each number less the one before it; the first ones are left over, and are not used. */
function differences(values: Int32Array): Int32Array<ArrayBuffer> {
  return Int32Array.from(values, (value, index) => value - (values[index - 1] ?? 0))
}

/** The best parameter, and the bits that it takes. */
function riceOf(values: Int32Array): { readonly rice: number; readonly bits: number } {
  const sum = values.reduce((total, value) => total + fold(value), 0)
  const mean = values.length === 0 ? 0 : sum / values.length
  const guess = Math.max(0, Math.min(RICE_MAX, Math.floor(Math.log2(Math.max(1, mean)))))
  const sizes = [guess - 1, guess, guess + 1]
    .filter(rice => rice >= 0 && rice <= RICE_MAX)
    .map(rice => ({ rice, bits: values.reduce((total, value) => total + (fold(value) >>> rice) + 1 + rice, 0) }))
  return sizes.reduce((least, one) => (one.bits < least.bits ? one : least))
}

/** Numbers with a sign as numbers without: 0, -1, 1, -2, … */
function fold(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value
}
