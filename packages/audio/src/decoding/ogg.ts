import { audioInvalid } from '../audio-invalid.ts'
import type { AudioStream } from './audio-block.ts'
import { decodeFlac, flacInfoOf } from './flac.ts'
import { decodeOpus } from './opus.ts'
import { decodeVorbis } from './vorbis.ts'

/** Bytes of an Ogg page before its table of sizes. */
const HEAD_BYTES = 27

/** `0x7F FLAC`, four bytes of versions and counts, `fLaC` and a block's head. */
const FLAC_LEAD_BYTES = 17

/** How the first packet of a stream begins. */
const OPUS = 'OpusHead'
const VORBIS = '\x01vorbis'
const FLAC = '\x7fFLAC'
const others: readonly (readonly [string, string])[] = [
  ['Speex', 'Speex   '],
  ['Theora', '\x80theora'],
  ['Skeleton', 'fishead\0']
]

/**
 * The first stream of sound in an Ogg file (RFC 3533).
 * @throws MeshError `invalid_request`: `truncated`, `damaged`, `unsupported`, `no_audio_track`
 */
export function openOgg(bytes: Uint8Array): AudioStream {
  refuseCut(bytes)
  const heads = headsOf(bytes)
  const known = [...heads].find(([, head]) => [OPUS, VORBIS, FLAC].some(text => beginsWith(head, text)))
  if (known === undefined) throw withoutSound([...heads.values()])
  const [stream, head] = known
  const packets = packetsOf(bytes, stream)
  packets.next()
  if (beginsWith(head, OPUS)) {
    // tags
    packets.next()
    return { codec: 'opus', blocks: decodeOpus(packets, head) }
  }
  if (beginsWith(head, FLAC)) {
    return { codec: 'flac', blocks: decodeFlac(flacFrames(packets), flacInfoOf(head.subarray(FLAC_LEAD_BYTES))) }
  }
  packets.next()
  const setup = packets.next().value ?? new Uint8Array(0)
  return { codec: 'vorbis', blocks: decodeVorbis(packets, { identification: head, setup }) }
}

function withoutSound(heads: readonly Uint8Array[]): Error {
  const [name] = others.find(([, text]) => heads.some(head => beginsWith(head, text))) ?? []
  if (name === 'Speex') return audioInvalid('unsupported', 'the ogg file has Speex audio, which is not decoded here')
  return audioInvalid('no_audio_track', `the ogg file has no audio${name === undefined ? '' : `, but ${name}`}`)
}

/** What is no frame describes the file: tags, pictures. */
function* flacFrames(packets: Iterable<Uint8Array>): Generator<Uint8Array> {
  for (const packet of packets) if (packet[0] === 0xff) yield packet
}

/** The first packet of each stream: they lie before all others. */
function headsOf(bytes: Uint8Array): Map<number, Uint8Array> {
  const heads = new Map<number, Uint8Array>()
  for (const page of pagesOf(bytes)) {
    // the bit of a page that begins a stream
    if ((page.flags & 2) === 0) break
    heads.set(page.stream, bytes.subarray(page.body, page.body + (page.sizes[0] ?? 0)))
  }
  return heads
}

/** Segments of 255 bytes and a last one that is shorter make a packet, over pages too. */
function* packetsOf(bytes: Uint8Array, stream: number): Generator<Uint8Array> {
  let parts: Uint8Array[] = []
  for (const page of pagesOf(bytes)) {
    if (page.stream !== stream) continue
    let at = page.body
    for (const size of page.sizes) {
      parts.push(bytes.subarray(at, at + size))
      at += size
      if (size === 255) continue
      const [only] = parts
      yield parts.length === 1 && only !== undefined ? only : new Uint8Array(Buffer.concat(parts))
      parts = []
    }
  }
}

interface OggPage {
  readonly flags: number
  readonly stream: number
  /** Of its segments. */
  readonly sizes: Uint8Array
  /** The byte of its first segment. */
  readonly body: number
  readonly end: number
}

/** Pages one after the other; what lies between them is gone over. */
function* pagesOf(bytes: Uint8Array): Generator<OggPage> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at >= 0 && at + HEAD_BYTES <= bytes.length; ) {
    if (view.getUint32(at) !== 0x4f676753) {
      at = buffer.indexOf('OggS', at + 1, 'latin1')
      continue
    }
    const body = at + HEAD_BYTES + (bytes[at + 26] ?? 0)
    const sizes = bytes.subarray(at + HEAD_BYTES, body)
    const end = sizes.reduce((sum, size) => sum + size, body)
    yield { flags: bytes[at + 5] ?? 0, stream: view.getUint32(at + 14), sizes, body, end }
    at = end
  }
}

/** The end would be missing in silence. */
function refuseCut(bytes: Uint8Array): void {
  let end = 0
  for (const page of pagesOf(bytes)) end = page.end
  if (end <= bytes.length) return
  throw audioInvalid('truncated', `the last page of the ogg file ends at byte ${end}, and the file at ${bytes.length}`)
}

function beginsWith(packet: Uint8Array, text: string): boolean {
  return Buffer.from(packet.subarray(0, text.length)).toString('latin1') === text
}
