import { audioInvalid } from '../audio-invalid.ts'
import type { AudioBlock, AudioStream } from './audio-block.ts'
import { type SampleCoding, sampleCodingOf } from './wav-coding.ts'

/** Samples of one block. */
const BLOCK_SAMPLES = 16_384

/** Sizes from here on say that the writer could not know the end: streams have 0xFFFFFFFF, sox something near half of it. */
const SIZE_UNKNOWN_MIN = 0x7fff_0000

interface WavFormat {
  readonly coding: SampleCoding
  readonly channels: number
  readonly rate: number
}

interface Chunk {
  readonly id: string
  readonly start: number
  /** As it says; the file may end before. */
  readonly size: number
}

/**
 * A RIFF or RF64 wave file: integers of 8 to 32 bits, floats, A-law and µ-law, also in the extensible form. Chunks in any
 * order and of odd sizes are gone over, and so is what lies behind the samples. A size of 0 or one that a stream has
 * means all that there is.
 *
 * @throws MeshError `invalid_request`: `unsupported`, `truncated`, `damaged`, `empty`
 */
export function openWav(bytes: Uint8Array): AudioStream {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let format: WavFormat | undefined
  for (const chunk of chunksOf(bytes, view)) {
    if (chunk.id === 'fmt ') format = formatOf(view, chunk)
    if (chunk.id !== 'data') continue
    if (format === undefined) throw audioInvalid('damaged', 'the wav file has samples before it says of which kind')
    const end = dataEnd(bytes, view, chunk, format)
    return { codec: format.coding.name, blocks: blocksOf(view, format, chunk.start, end) }
  }
  const what = format === undefined ? 'neither a format nor samples' : 'no samples'
  throw audioInvalid(format === undefined ? 'damaged' : 'truncated', `the wav file has ${what}`)
}

function* chunksOf(bytes: Uint8Array, view: DataView): Generator<Chunk> {
  for (let at = 12; at + 8 <= bytes.length; ) {
    const id = Buffer.from(bytes.subarray(at, at + 4)).toString('latin1')
    const size = view.getUint32(at + 4, true)
    yield { id, start: at + 8, size }
    at += 8 + size + (size % 2)
  }
}

function formatOf(view: DataView, { start, size }: Chunk): WavFormat {
  if (size < 16 || start + 16 > view.byteLength) {
    throw audioInvalid('truncated', `the format of the wav file has ${size} bytes; 16 are the least`)
  }
  const extensible = view.getUint16(start, true) === 0xfffe && size >= 26 && start + 26 <= view.byteLength
  // the first two bytes of an extensible format's identifier are the tag
  const tag = view.getUint16(extensible ? start + 24 : start, true)
  const channels = view.getUint16(start + 2, true)
  const rate = view.getUint32(start + 4, true)
  const frameBytes = view.getUint16(start + 12, true)
  const bits = view.getUint16(start + 14, true)
  if (channels === 0) throw audioInvalid('damaged', 'the wav file has no channels')
  // samples of 20 bits take three bytes
  const sampleBytes = frameBytes % channels === 0 && frameBytes > 0 ? frameBytes / channels : Math.ceil(bits / 8)
  const coding = sampleCodingOf(tag, sampleBytes)
  if (coding === undefined) {
    throw audioInvalid('unsupported', `the wav file has samples of ${bits} bits in coding 0x${tag.toString(16)}`)
  }
  return { coding, channels, rate }
}

function dataEnd(bytes: Uint8Array, view: DataView, { start, size }: Chunk, format: WavFormat): number {
  const frameBytes = format.coding.bytes * format.channels
  const there = bytes.length - start
  const said = size === 0xffff_ffff ? (longSize(bytes, view) ?? 0) : size
  const known = said > 0 && said < SIZE_UNKNOWN_MIN
  if (known && said - there >= frameBytes) {
    const seconds = (count: number): string => (count / frameBytes / format.rate).toFixed(1)
    throw audioInvalid('truncated', `the wav file says it has ${seconds(said)} seconds, and has ${seconds(there)}`)
  }
  const frames = Math.floor(Math.min(known ? said : there, there) / frameBytes)
  if (frames === 0) throw audioInvalid('empty', 'the wav file has no samples')
  return start + frames * frameBytes
}

/** Of an RF64 file, whose first chunk has the sizes that 32 bits do not hold. */
function longSize(bytes: Uint8Array, view: DataView): number | undefined {
  const id = Buffer.from(bytes.subarray(12, 16)).toString('latin1')
  return id === 'ds64' && bytes.length >= 36 ? Number(view.getBigUint64(28, true)) : undefined
}

function* blocksOf(view: DataView, format: WavFormat, start: number, end: number): Generator<AudioBlock> {
  const { coding, channels: count, rate } = format
  const frameBytes = coding.bytes * count
  for (let at = start; at < end; at += BLOCK_SAMPLES * frameBytes) {
    const frames = Math.min(BLOCK_SAMPLES, (end - at) / frameBytes)
    const channels = Array.from({ length: count }, (_, channel) => {
      const samples = new Float32Array(frames)
      let from = at + channel * coding.bytes
      for (let frame = 0; frame < frames; frame++, from += frameBytes) samples[frame] = coding.read(view, from)
      return samples
    })
    yield { channels, rate }
  }
}
