import { OggVorbisDecoder } from '@wasm-audio-decoders/ogg-vorbis'
import { audioInvalid } from '../audio-invalid.ts'
import type { AudioBlock } from './audio-block.ts'
import { callCodec } from './codec-call.ts'
import { Tolerance } from './tolerance.ts'

/** What the decoder reads of an Ogg page. */
type OggPage = Parameters<OggVorbisDecoder['decodeOggPages']>[0][number]

/** The decoder's room for one packet. */
const PACKET_BYTES_MAX = 128 * 1024

/** What a decoder needs before the first packet. */
export interface VorbisHeads {
  readonly identification: Uint8Array
  readonly setup: Uint8Array
}

/**
 * @param packets as containers have them
 * @throws MeshError `invalid_request`: `damaged`
 */
export async function* decodeVorbis(
  packets: Iterable<Uint8Array>,
  { identification, setup }: VorbisHeads
): AsyncGenerator<AudioBlock> {
  if (!isHead(identification, 1) || !isHead(setup, 5) || setup.length > PACKET_BYTES_MAX) {
    throw audioInvalid('damaged', 'the heads of the Vorbis stream are wrong')
  }
  const decoder = new OggVorbisDecoder()
  await callCodec('Vorbis', () => decoder.ready)
  const tolerance = new Tolerance('Vorbis')
  await callCodec('Vorbis', () => decoder.decodeOggPages([pageOf(identification, [])]))
  for (const packet of packets) {
    if (packet.length > PACKET_BYTES_MAX) {
      tolerance.count(`it has ${packet.length} bytes`)
      continue
    }
    const page = pageOf(new Uint8Array(0), [{ data: packet, header: { vorbisSetup: setup } }])
    const { channelData, samplesDecoded, sampleRate, errors } = await callCodec('Vorbis', () =>
      decoder.decodeOggPages([page])
    )
    tolerance.count(errors[0]?.message)
    if (samplesDecoded > 0) yield { channels: channelData, rate: sampleRate }
  }
  tolerance.end()
}

/** The decoder reads these members of a page alone. */
function pageOf(data: Uint8Array, codecFrames: readonly object[]): OggPage {
  const page: object = { data, codecFrames, isLastPage: false }
  return page as OggPage
}

function isHead(packet: Uint8Array, type: number): boolean {
  return packet[0] === type && Buffer.from(packet.subarray(1, 7)).toString('latin1') === 'vorbis'
}

/**
 * The heads as Matroska has them: how many less one, the sizes of all but the last in bytes of 255 and a rest, and the
 * heads: identification, comment, setup.
 */
export function vorbisHeadsOf(bytes: Uint8Array): VorbisHeads {
  let at = 1
  const [first = 0, second = 0] = [0, 1].map(() => {
    let size = 0
    for (let byte = 255; byte === 255 && at < bytes.length; at++) {
      byte = bytes[at] ?? 0
      size += byte
    }
    return size
  })
  return { identification: bytes.subarray(at, at + first), setup: bytes.subarray(at + first + second) }
}
