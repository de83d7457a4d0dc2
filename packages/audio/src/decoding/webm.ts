import { audioInvalid } from '../audio-invalid.ts'
import type { AudioBlock, AudioStream } from './audio-block.ts'
import { type EbmlElement, elementsOf, sizedNumber, unsigned } from './ebml.ts'
import { decodeFlac, flacInfoOf } from './flac.ts'
import { decodeMp3 } from './mp3.ts'
import { decodeOpus } from './opus.ts'
import { decodeVorbis, vorbisHeadsOf } from './vorbis.ts'

/** Ids of elements (RFC 9559). */
const SEGMENT = 0x18538067
const TRACKS = 0x1654ae6b
const TRACK = 0xae
const TRACK_NUMBER = 0xd7
const TRACK_TYPE = 0x83
const CODEC = 0x86
const CODEC_PRIVATE = 0x63a2
const ENCODINGS = 0x6d80
const CLUSTER = 0x1f43b675
const SIMPLE_BLOCK = 0xa3
const BLOCK_GROUP = 0xa0
const BLOCK = 0xa1

const AUDIO_TYPE = 2

/** Of `fLaC` and of a block's head, before STREAMINFO. */
const FLAC_LEAD_BYTES = 8

interface Track {
  readonly number: number
  readonly codec: string
  readonly description: Uint8Array
}

/**
 * The first audio track of a WebM or Matroska file.
 * @throws MeshError `invalid_request`: `truncated`, `damaged`, `unsupported`, `no_audio_track`
 */
export function openWebm(bytes: Uint8Array): AudioStream {
  const segment = segmentOf(bytes)
  if (segment === undefined) throw audioInvalid('damaged', 'the webm file has no segment')
  const said = segment.start + (segment.size ?? 0)
  if (said > bytes.length) {
    throw audioInvalid('truncated', `the webm file says it has ${said} bytes, and has ${bytes.length}`)
  }
  const track = trackOf(bytes, segment)
  if (track === undefined) throw audioInvalid('no_audio_track', 'the webm file has no audio track')
  const codec = track.codec.replace(/^A_/, '').toLowerCase()
  const blocks = blocksOf(codec, packetsOf(bytes, segment, track.number), track.description)
  if (blocks === undefined) {
    throw audioInvalid('unsupported', `the webm file has ${codec} audio, which is not decoded here`)
  }
  return { codec: codec === 'mpeg/l3' ? 'mp3' : codec, blocks }
}

function blocksOf(
  codec: string,
  packets: Iterable<Uint8Array>,
  description: Uint8Array
): AsyncIterable<AudioBlock> | undefined {
  if (codec === 'opus') return decodeOpus(packets, description)
  if (codec === 'vorbis') return decodeVorbis(packets, vorbisHeadsOf(description))
  if (codec === 'flac') return decodeFlac(packets, flacInfoOf(description.subarray(FLAC_LEAD_BYTES)))
  return codec === 'mpeg/l3' ? decodeMp3(packets) : undefined
}

function segmentOf(bytes: Uint8Array): EbmlElement | undefined {
  for (const element of elementsOf(bytes, 0, bytes.length)) if (element.id === SEGMENT) return element
  return undefined
}

/** All tracks are told before the first cluster. */
function trackOf(bytes: Uint8Array, segment: EbmlElement): Track | undefined {
  for (const element of elementsOf(bytes, segment.start, segment.end)) {
    if (element.id === CLUSTER) return undefined
    if (element.id !== TRACKS) continue
    for (const entry of elementsOf(bytes, element.start, element.end)) {
      const track = entry.id === TRACK ? audioTrackOf(bytes, entry) : undefined
      if (track !== undefined) return track
    }
  }
  return undefined
}

function audioTrackOf(bytes: Uint8Array, entry: EbmlElement): Track | undefined {
  const parts = new Map<number, Uint8Array>()
  for (const { id, start, end } of elementsOf(bytes, entry.start, entry.end)) parts.set(id, bytes.subarray(start, end))
  const part = (id: number): Uint8Array => parts.get(id) ?? new Uint8Array(0)
  if (unsigned(part(TRACK_TYPE)) !== AUDIO_TYPE) return undefined
  if (parts.has(ENCODINGS)) throw audioInvalid('unsupported', 'the track of the webm file is compressed or encrypted')
  const codec = Buffer.from(part(CODEC)).toString('latin1')
  return { number: unsigned(part(TRACK_NUMBER)), codec, description: part(CODEC_PRIVATE) }
}

/** What lies in what: blocks in groups, these in clusters, and so no deeper. */
const MASTERS = [CLUSTER, BLOCK_GROUP]

/** The frames of all clusters, in order. */
function* packetsOf(bytes: Uint8Array, part: EbmlElement, track: number, masters = MASTERS): Generator<Uint8Array> {
  for (const element of elementsOf(bytes, part.start, part.end)) {
    const { id, start, end, size } = element
    const depth = masters.indexOf(id)
    if (id === SIMPLE_BLOCK || id === BLOCK) yield* framesOf(bytes.subarray(start, end), track)
    else if (depth >= 0 && size !== undefined) yield* packetsOf(bytes, element, track, masters.slice(depth + 1))
  }
}

/** A block: its track, two bytes of time, one of flags, and one or several frames. */
function* framesOf(block: Uint8Array, track: number): Generator<Uint8Array> {
  const numberBytes = Math.clz32(block[0] ?? 0) - 23
  if (numberBytes > 8 || sizedNumber(block, 0) !== track) return
  const flags = block[numberBytes + 2] ?? 0
  const body = block.subarray(numberBytes + 3)
  const lacing = (flags >> 1) & 3
  if (lacing === 0) {
    yield body
    return
  }
  const count = (body[0] ?? 0) + 1
  const { sizes, at } =
    lacing === 1 ? xiphSizes(body, count) : lacing === 3 ? ebmlSizes(body, count) : evenSizes(body, count)
  let from = at
  for (const size of sizes) {
    yield body.subarray(from, from + size)
    from += size
  }
  yield body.subarray(from)
}

/** The sizes of all frames but the last, and where the first one begins. */
interface Laced {
  readonly sizes: readonly number[]
  readonly at: number
}

function evenSizes(body: Uint8Array, count: number): Laced {
  const size = Math.floor((body.length - 1) / count)
  return { sizes: Array.from({ length: count - 1 }, () => size), at: 1 }
}

/** Bytes of 255 and a rest. */
function xiphSizes(body: Uint8Array, count: number): Laced {
  const sizes: number[] = []
  let at = 1
  while (sizes.length < count - 1 && at < body.length) {
    let size = 0
    for (let byte = 255; byte === 255 && at < body.length; at++) {
      byte = body[at] ?? 0
      size += byte
    }
    sizes.push(size)
  }
  return { sizes, at }
}

/** The first size, and what each next one is more or less, around the middle of what its bytes hold. */
function ebmlSizes(body: Uint8Array, count: number): Laced {
  const sizes: number[] = []
  let at = 1
  while (sizes.length < count - 1 && at < body.length) {
    const length = Math.min(8, Math.clz32(body[at] ?? 0) - 23)
    const value = sizedNumber(body, at)
    const last = sizes.at(-1)
    const size = last === undefined ? value : last + value - (2 ** (7 * length - 1) - 1)
    sizes.push(Math.max(0, Math.min(size, body.length)))
    at += length
  }
  return { sizes, at }
}
