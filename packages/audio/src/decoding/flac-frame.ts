import { BitReader } from './bit-reader.ts'
import { crc8, crc16 } from './flac-checksums.ts'

/** What a stream says of all its frames. */
export interface FlacInfo {
  readonly rate: number
  readonly channels: number
  readonly bits: number
  /** Samples in all; 0 where it does not say. */
  readonly total: number
}

export interface FlacFrame {
  /** f32 from -1 to 1 */
  readonly channels: readonly Float32Array[]
  readonly rate: number
  /** The byte behind it. */
  readonly end: number
}

interface FrameHeader {
  readonly count: number
  readonly rate: number
  /** How the channels are coded: 0 to 7 for one to eight of them, 8 to 10 for two by their difference. */
  readonly assignment: number
  readonly bits: number
}

const RATES = [0, 88_200, 176_400, 192_000, 8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]
const BITS = [0, 8, 12, 0, 16, 20, 24, 32]

/** What the fixed predictors of order 0 to 4 weigh the samples before with. */
const FIXED: readonly (readonly number[])[] = [[], [1], [2, -1], [3, -3, 1], [4, -6, 4, -1]]

/** The bytes at `at` are no frame, or a damaged one. */
export class FlacFault extends Error {
  override readonly name = 'FlacFault'
}

/**
 * Decodes the frame at `at` (RFC 9639), with both of its checksums.
 * @throws FlacFault; EndOfBits
 */
export function decodeFlacFrame(bytes: Uint8Array, at: number, info: FlacInfo): FlacFrame {
  const reader = new BitReader(bytes, at)
  const header = readHeader(bytes, at, reader, info)
  const { count, assignment, bits, rate } = header
  const channels = Array.from({ length: assignment < 8 ? assignment + 1 : 2 }, (_, channel) => {
    // a difference needs one bit more
    const difference = assignment === 9 ? channel === 0 : assignment >= 8 && channel === 1
    return readSubframe(reader, count, difference ? bits + 1 : bits)
  })
  reader.align()
  const end = reader.byte
  if (reader.bits(16) !== crc16(bytes, at, end)) throw new FlacFault('a frame has another checksum')
  joinChannels(channels, assignment)
  const scale = 2 ** (bits - 1)
  return { channels: channels.map(samples => Float32Array.from(samples, sample => sample / scale)), rate, end: end + 2 }
}

function readHeader(bytes: Uint8Array, at: number, reader: BitReader, info: FlacInfo): FrameHeader {
  if (reader.bits(15) !== 0x7ffc) throw new FlacFault('it is no frame')
  reader.bits(1)
  const sizeCode = reader.bits(4)
  const rateCode = reader.bits(4)
  const assignment = reader.bits(4)
  const bitsCode = reader.bits(3)
  reader.bits(1)
  // the frame's number, as UTF-8 counts bytes
  const lead = reader.bits(8)
  const following = lead < 0x80 ? 0 : Math.clz32(~(lead << 24)) - 1
  for (let index = 0; index < following; index++) reader.bits(8)
  const count = blockSize(sizeCode, reader)
  const rate = sampleRate(rateCode, reader) ?? info.rate
  const bits = BITS[bitsCode] || info.bits
  const end = reader.byte
  if (reader.bits(8) !== crc8(bytes, at, end)) throw new FlacFault('the head of a frame has another checksum')
  if (count === 0 || assignment > 10 || bitsCode === 3) throw new FlacFault('the head of a frame is wrong')
  return { count, rate, assignment, bits }
}

function blockSize(code: number, reader: BitReader): number {
  if (code === 1) return 192
  if (code >= 2 && code <= 5) return 144 << code
  if (code === 6) return reader.bits(8) + 1
  if (code === 7) return reader.bits(16) + 1
  return code === 0 ? 0 : 1 << code
}

function sampleRate(code: number, reader: BitReader): number | undefined {
  if (code === 12) return reader.bits(8) * 1000
  if (code === 13) return reader.bits(16)
  if (code === 14) return reader.bits(16) * 10
  if (code === 15) throw new FlacFault('the head of a frame is wrong')
  return RATES[code] || undefined
}

/** Whole numbers, exact as doubles: 33 bits of a sample times 15 of a weight, 32 of them. */
function readSubframe(reader: BitReader, count: number, bits: number): Float64Array {
  if (reader.bits(1) !== 0) throw new FlacFault('a channel of a frame is wrong')
  const type = reader.bits(6)
  const wasted = reader.bits(1) === 0 ? 0 : reader.zeros() + 1
  const width = bits - wasted
  if (width < 1) throw new FlacFault('a channel of a frame is wrong')
  const samples = new Float64Array(count)
  if (type === 0) samples.fill(reader.signed(width))
  else if (type === 1) for (let at = 0; at < count; at++) samples[at] = reader.signed(width)
  else if (type >= 8 && type <= 12) readPredicted(reader, samples, width, type - 8, FIXED[type - 8])
  else if (type >= 32) readPredicted(reader, samples, width, type - 31, undefined)
  else throw new FlacFault('a channel of a frame is coded in an unknown way')
  const scale = 2 ** wasted
  return wasted === 0 ? samples : samples.map(sample => sample * scale)
}

/** @param fixed the weights, where the frame does not have its own */
function readPredicted(
  reader: BitReader,
  samples: Float64Array,
  width: number,
  order: number,
  fixed: readonly number[] | undefined
): void {
  if (order > samples.length) throw new FlacFault('a frame is shorter than its predictor')
  for (let at = 0; at < order; at++) samples[at] = reader.signed(width)
  let weights = fixed
  let shift = 0
  if (weights === undefined) {
    const precision = reader.bits(4) + 1
    shift = reader.signed(5)
    if (precision === 16 || shift < 0) throw new FlacFault('a predictor of a frame is wrong')
    weights = Array.from({ length: order }, () => reader.signed(precision))
  }
  readResidual(reader, samples, order)
  const divisor = 2 ** shift
  for (let at = order; at < samples.length; at++) {
    let sum = 0
    for (let back = 0; back < order; back++) sum += (weights[back] ?? 0) * (samples[at - 1 - back] ?? 0)
    samples[at] = (samples[at] ?? 0) + Math.floor(sum / divisor)
  }
}

/** What the predictor missed, by Rice's code, in partitions with a parameter each. */
function readResidual(reader: BitReader, samples: Float64Array, order: number): void {
  const method = reader.bits(2)
  if (method > 1) throw new FlacFault('a frame is coded in an unknown way')
  const parameterBits = method === 0 ? 4 : 5
  const plain = 2 ** parameterBits - 1
  const partitions = 1 << reader.bits(4)
  const size = samples.length / partitions
  if (!Number.isInteger(size) || size < order) throw new FlacFault('the parts of a frame do not fit it')
  for (let partition = 0, at = order; partition < partitions; partition++) {
    const end = (partition + 1) * size
    const parameter = reader.bits(parameterBits)
    if (parameter === plain) {
      const width = reader.bits(5)
      for (; at < end; at++) samples[at] = width === 0 ? 0 : reader.signed(width)
      continue
    }
    const scale = 2 ** parameter
    for (; at < end; at++) {
      const folded = reader.zeros() * scale + reader.bits(parameter)
      samples[at] = folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2
    }
  }
}

/** Left and right of one channel and the difference, or of the sum and the difference. */
function joinChannels([first, second]: readonly Float64Array[], assignment: number): void {
  if (assignment < 8 || first === undefined || second === undefined) return
  for (let at = 0; at < first.length; at++) {
    const a = first[at] ?? 0
    const b = second[at] ?? 0
    if (assignment === 8) second[at] = a - b
    else if (assignment === 9) first[at] = a + b
    else {
      // the sum lost its last bit, which is that of the difference
      const sum = 2 * a + Math.abs(b % 2)
      first[at] = (sum + b) / 2
      second[at] = (sum - b) / 2
    }
  }
}
