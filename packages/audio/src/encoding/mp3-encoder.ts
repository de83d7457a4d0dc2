import { createMp3Encoder } from 'wasm-media-encoders'
import { RateChange } from '../resampling/rate-change.ts'
import type { AudioEncoder } from './audio-encoder.ts'

/** Rates that MPEG-1 and MPEG-2 layer III know. */
const RATES: readonly number[] = [16_000, 22_050, 24_000, 32_000, 44_100, 48_000]

/** Kilobits a second of one channel: a voice sounds clean. */
const KILOBITS = 64

/** MPEG layer III by LAME, one channel, at the rate of what comes where it has that. */
export async function createMp3(rate: number): Promise<AudioEncoder> {
  const own = RATES.find(one => one >= rate) ?? 48_000
  const change = new RateChange(rate, own)
  const encoder = await createMp3Encoder()
  encoder.configure({ sampleRate: own as 24_000, channels: 1, bitrate: KILOBITS })
  // copies: the encoder gives views of its own memory
  const encode = (samples: Int16Array): Uint8Array =>
    Uint8Array.from(encoder.encode([Float32Array.from(samples, sample => sample / 32_768)]))
  return {
    encode: samples => encode(change.take(samples)),
    finish: () => Buffer.concat([encode(change.end()), Uint8Array.from(encoder.finalize())])
  }
}
