import { MPEGDecoder } from 'mpg123-decoder'
import { audioInvalid } from '../audio-invalid.ts'
import type { AudioBlock, AudioStream } from './audio-block.ts'
import { callCodec } from './codec-call.ts'
import { mp3Frames, toldFrames } from './mp3-frames.ts'
import { tagEnd } from './sniff.ts'
import { Tolerance } from './tolerance.ts'

/**
 * MPEG audio, layers I to III, by mpg123. What LAME added at both ends is cut off.
 * @throws MeshError `invalid_request`: `damaged`, `truncated`
 */
export function openMp3(bytes: Uint8Array): AudioStream {
  return { codec: 'mp3', blocks: decodeMp3(mp3Packets(bytes)) }
}

function* mp3Packets(bytes: Uint8Array): Generator<Uint8Array> {
  const frames = mp3Frames(bytes, tagEnd(bytes))
  let told: number | undefined
  let count = 0
  let next = frames.next()
  for (; next.done !== true; next = frames.next()) {
    const frame = next.value
    if (count++ === 0) told = toldFrames(bytes, frame)
    yield bytes.subarray(frame.start, frame.end)
  }
  // the table itself is a frame; a file that was shortened by a program ends with a whole one
  if (told !== undefined && next.value !== undefined && count - 1 < told) {
    throw audioInvalid('truncated', `the mp3 file says it has ${told} frames, and has ${count - 1}`)
  }
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
