import type { AudioEncoder, OwnFormat } from './audio-encoder.ts'
import { FlacEncoder } from './flac-encoder.ts'
import { createMp3 } from './mp3-encoder.ts'
import { OpusEncoder } from './opus-encoder.ts'
import { PcmEncoder } from './pcm-encoder.ts'
import { WavEncoder } from './wav-encoder.ts'

/**
 * An encoder of one channel. Encoding takes a processor some milliseconds for a second of sound: call it in a thread.
 *
 * @param rate of what comes, in Hz
 */
export async function createEncoder(format: OwnFormat, rate: number): Promise<AudioEncoder> {
  switch (format) {
    case 'mp3':
      return await createMp3(rate)
    case 'opus':
      return new OpusEncoder(rate)
    case 'flac':
      return new FlacEncoder(rate)
    case 'wav':
      return new WavEncoder(rate)
    case 'pcm':
      return new PcmEncoder(rate)
  }
}
