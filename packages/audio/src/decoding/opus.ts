import { OpusDecoder } from 'opus-decoder'
import { audioInvalid } from '../audio-invalid.ts'
import type { AudioBlock } from './audio-block.ts'
import { callCodec } from './codec-call.ts'
import { Tolerance } from './tolerance.ts'

/** Opus is always decoded at this rate. */
const RATE = 48_000

/** The longest packet: 120 ms of 255 streams would be more, and nobody speaks in so many. */
const PACKET_BYTES_MAX = 7680

interface OpusHead {
  readonly channels: number
  /** Samples at the beginning that only fill the decoder. */
  readonly preSkip: number
  readonly streamCount: number
  readonly coupledStreamCount: number
  readonly channelMappingTable: number[]
}

/**
 * @param packets as containers have them
 * @param description the `OpusHead` of RFC 7845, 5.1
 * @throws MeshError `invalid_request`: `damaged`
 */
export async function* decodeOpus(packets: Iterable<Uint8Array>, description: Uint8Array): AsyncGenerator<AudioBlock> {
  const { preSkip, ...head } = opusHeadOf(description)
  const decoder = new OpusDecoder({ ...head, sampleRate: RATE })
  await callCodec('Opus', () => decoder.ready)
  const tolerance = new Tolerance('Opus')
  let skip = preSkip
  for (const packet of packets) {
    if (packet.length > PACKET_BYTES_MAX) {
      tolerance.count(`it has ${packet.length} bytes`)
      continue
    }
    const { channelData, samplesDecoded, errors } = await callCodec('Opus', () => decoder.decodeFrame(packet))
    tolerance.count(errors[0]?.message)
    if (samplesDecoded > skip) yield { channels: channelData.map(channel => channel.subarray(skip)), rate: RATE }
    skip = Math.max(0, skip - samplesDecoded)
  }
  tolerance.end()
}

function opusHeadOf(bytes: Uint8Array): OpusHead {
  const channels = bytes[9] ?? 0
  const [streams = 0, coupled = 0] = bytes[18] === 0 ? [1, channels - 1] : bytes.subarray(19, 21)
  const table = bytes[18] === 0 ? [0, 1].slice(0, channels) : [...bytes.subarray(21, 21 + channels)]
  // 255 is a silent channel
  const mapped = table.every(stream => stream < streams + coupled || stream === 255)
  const fine = channels > 0 && streams > 0 && coupled >= 0 && coupled <= streams && streams + coupled <= 255
  if (bytes.length < 19 || !fine || !mapped || table.length !== channels) {
    throw audioInvalid('damaged', 'the head of the Opus stream is wrong')
  }
  const preSkip = (bytes[10] ?? 0) + 256 * (bytes[11] ?? 0)
  return { channels, preSkip, streamCount: streams, coupledStreamCount: coupled, channelMappingTable: table }
}
