import { audioInvalid } from '../audio-invalid.ts'
import type { AudioBlock, AudioStream } from './audio-block.ts'
import { EndOfBits } from './bit-reader.ts'
import { decodeFlacFrame, FlacFault, type FlacFrame, type FlacInfo } from './flac-frame.ts'
import { tagEnd } from './sniff.ts'
import { Tolerance } from './tolerance.ts'

/** Frames of a damaged stream that are tried: each may cost as much as a good one. */
const FAULTS_MAX = 200

/** Bytes of what a stream says of itself. */
const INFO_BYTES = 34

/**
 * A FLAC file.
 * @throws MeshError `invalid_request`: `truncated`, `damaged`
 */
export function openFlac(bytes: Uint8Array): AudioStream {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let info: FlacInfo | undefined
  let at = tagEnd(bytes) + 4
  for (let last = false; !last; ) {
    if (at + 4 > bytes.length) throw audioInvalid('truncated', 'the flac file ends before its sound')
    const head = view.getUint32(at)
    last = head >= 2 ** 31
    if (((head >>> 24) & 127) === 0) info = flacInfoOf(bytes.subarray(at + 4))
    at += 4 + (head & 0xff_ffff)
  }
  if (info === undefined) throw audioInvalid('damaged', 'the flac file does not say what its sound is like')
  return { codec: 'flac', blocks: framesOf(bytes, at, info) }
}

/**
 * What a stream says of itself.
 * @param bytes the block STREAMINFO, without its head
 * @throws MeshError `invalid_request`: `truncated`, `damaged`
 */
export function flacInfoOf(bytes: Uint8Array): FlacInfo {
  if (bytes.length < INFO_BYTES) throw audioInvalid('truncated', 'the flac stream ends within what it says of itself')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const packed = view.getUint32(10)
  const info = {
    rate: packed >>> 12,
    channels: ((packed >>> 9) & 7) + 1,
    bits: ((packed >>> 4) & 31) + 1,
    total: (packed & 15) * 2 ** 32 + view.getUint32(14)
  }
  if (info.bits < 4) throw audioInvalid('damaged', `the flac stream has samples of ${info.bits} bits`)
  return info
}

/** Frames one after the other; behind a damaged one the next that is whole. */
function* framesOf(bytes: Uint8Array, start: number, info: FlacInfo): Generator<AudioBlock> {
  let decoded = 0
  let faults = 0
  for (let at = start; at < bytes.length; ) {
    const frame = tryFrame(bytes, at, info)
    if (frame instanceof Error) {
      // what is behind the last frame is no sound: tags, mostly
      if (info.total > 0 && decoded >= info.total) break
      if (frame instanceof EndOfBits && info.total > 0) throw truncated(decoded, info)
      if (++faults > FAULTS_MAX) throw audioInvalid('damaged', `the flac file is damaged: ${frame.message}`)
      at = nextSync(bytes, at + 1)
      continue
    }
    at = frame.end
    decoded += frame.channels[0]?.length ?? 0
    yield frame
  }
  if (decoded < info.total) throw faults === 0 ? truncated(decoded, info) : damaged(decoded, info)
}

function tryFrame(bytes: Uint8Array, at: number, info: FlacInfo): FlacFrame | FlacFault | EndOfBits {
  try {
    return decodeFlacFrame(bytes, at, info)
  } catch (error) {
    if (error instanceof FlacFault || error instanceof EndOfBits) return error
    throw error
  }
}

function nextSync(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    if (((bytes[at + 1] ?? 0) & 0xfe) === 0xf8) return at
  }
  return bytes.length
}

function truncated(decoded: number, { total, rate }: FlacInfo): Error {
  const seconds = (count: number): string => (count / Math.max(1, rate)).toFixed(1)
  return audioInvalid('truncated', `the flac file says it has ${seconds(total)} seconds, and has ${seconds(decoded)}`)
}

function damaged(decoded: number, { total }: FlacInfo): Error {
  return audioInvalid('damaged', `${total - decoded} of ${total} samples of the flac file are damaged`)
}

/** @param packets a frame each, as containers have them */
export async function* decodeFlac(packets: Iterable<Uint8Array>, info: FlacInfo): AsyncGenerator<AudioBlock> {
  const tolerance = new Tolerance('FLAC')
  for (const packet of packets) {
    const frame = tryFrame(packet, 0, info)
    tolerance.count(frame instanceof Error ? frame.message : undefined)
    if (!(frame instanceof Error)) yield frame
  }
  tolerance.end()
}
