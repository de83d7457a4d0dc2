import type { AudioLimits } from '../../src/audio-limits.ts'
import { type DecodedFile, decodeFile } from '../../src/decoding/decode-file.ts'
import { withoutFfmpeg } from '../../src/decoding/foreign-audio.ts'

/** Decodes a file where there is no ffmpeg. */
export async function decodeHere(bytes: Uint8Array<ArrayBuffer>, limits: AudioLimits): Promise<DecodedFile> {
  const file = await decodeFile(bytes, limits)
  if ('samples' in file) return file
  throw withoutFfmpeg(file)
}
