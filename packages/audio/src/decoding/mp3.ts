import { MPEGDecoder } from 'mpg123-decoder'
import type { AudioBlock, AudioStream } from './audio-block.ts'
import { callCodec } from './codec-call.ts'
import { mp3Frames } from './mp3-frames.ts'
import { tagEnd } from './sniff.ts'
import { Tolerance } from './tolerance.ts'

/**
 * MPEG audio, layers I to III, by mpg123. What LAME added at both ends is cut off.
 * @throws MeshError `invalid_request`: `damaged`
 */
export function openMp3(bytes: Uint8Array): AudioStream {
  return { codec: 'mp3', blocks: decodeMp3(mp3Packets(bytes)) }
}

function* mp3Packets(bytes: Uint8Array): Generator<Uint8Array> {
  for (const { start, end } of mp3Frames(bytes, tagEnd(bytes))) yield bytes.subarray(start, end)
}

/** @param packets a frame each */
export async function* decodeMp3(packets: Iterable<Uint8Array>): AsyncGenerator<AudioBlock> {
  const decoder = new MPEGDecoder()
  await callCodec('MP3', () => decoder.ready)
  const tolerance = new Tolerance('MP3')
  for (const packet of packets) {
    const { channelData, samplesDecoded, sampleRate, errors } = await callCodec('MP3', () =>
      decoder.decodeFrame(packet)
    )
    tolerance.count(errors[0]?.message)
    if (samplesDecoded > 0) yield { channels: channelData, rate: sampleRate }
  }
  tolerance.end()
}
