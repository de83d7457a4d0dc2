import type { AudioLimits } from '../audio-limits.ts'
import type { AudioStream } from './audio-block.ts'
import { openFlac } from './flac.ts'
import { type ForeignAudio, foreignAudio } from './foreign-audio.ts'
import { MonoTrack } from './mono-track.ts'
import { openMp3 } from './mp3.ts'
import { openOgg } from './ogg.ts'
import { type AudioContainer, sniffAudio } from './sniff.ts'
import { TrackLength } from './track-length.ts'
import { openWav } from './wav.ts'
import { openWebm } from './webm.ts'

/** A file that was decoded in this thread. */
export interface DecodedFile {
  /** f32 from -1 to 1, one channel at 16 kHz */
  readonly samples: Float32Array<ArrayBuffer>
  readonly container: AudioContainer
  readonly codec: string
}

/** A file whose sound was counted and not kept. */
export interface MeasuredFile {
  /** At 16 kHz. */
  readonly sampleCount: number
}

/**
 * Decodes a file in this thread. What it says of itself is checked against what it has, and limits count what was
 * decoded; its size was checked before it came here.
 *
 * @returns the sound, or what ffmpeg has to know of a file that only it decodes
 * @throws MeshError `invalid_request` with the fault in `details.fault`
 */
export async function decodeFile(
  bytes: Uint8Array<ArrayBuffer>,
  limits: AudioLimits
): Promise<DecodedFile | ForeignAudio> {
  const file = open(bytes)
  if (!('blocks' in file)) return file
  const { container, codec, blocks } = file
  const track = new MonoTrack(limits)
  for await (const block of blocks) track.add(block)
  return { samples: track.end(), container, codec }
}

/**
 * Decodes a file as {@link decodeFile} does, and keeps nothing but how long it is.
 *
 * @returns samples at 16 kHz, or what ffmpeg has to know of a file that only it decodes
 * @throws MeshError as {@link decodeFile} does
 */
export async function measureFile(
  bytes: Uint8Array<ArrayBuffer>,
  limits: AudioLimits
): Promise<MeasuredFile | ForeignAudio> {
  const file = open(bytes)
  if (!('blocks' in file)) return file
  const length = new TrackLength(limits)
  for await (const block of file.blocks) length.add(block)
  return { sampleCount: length.end() }
}

function open(bytes: Uint8Array): (AudioStream & { readonly container: AudioContainer }) | ForeignAudio {
  const container = sniffAudio(bytes)
  return foreignAudio(bytes, container) ?? { ...streamOf(bytes, container), container }
}

function streamOf(bytes: Uint8Array, container: AudioContainer): AudioStream {
  if (container === 'wav') return openWav(bytes)
  if (container === 'mp3') return openMp3(bytes)
  if (container === 'flac') return openFlac(bytes)
  return container === 'ogg' ? openOgg(bytes) : openWebm(bytes)
}
