import { RateChange } from '../resampling/rate-change.ts'
import type { AudioEncoder } from './audio-encoder.ts'

/** The rate that clients of OpenAI's API play bare samples at: there is no header that says another. */
export const PCM_RATE = 24_000

/** Bare samples, s16 little endian at {@link PCM_RATE}. */
export class PcmEncoder implements AudioEncoder {
  readonly #rate: RateChange

  /** @param rate of what comes, in Hz */
  constructor(rate: number) {
    this.#rate = new RateChange(rate, PCM_RATE)
  }

  encode(samples: Int16Array): Uint8Array {
    return littleEndian(this.#rate.take(samples))
  }

  finish(): Uint8Array {
    return littleEndian(this.#rate.end())
  }
}

/** Samples as bytes, little endian whatever the machine. */
export function littleEndian(samples: Int16Array): Uint8Array {
  const bytes = Buffer.alloc(2 * samples.length)
  for (const [index, sample] of samples.entries()) bytes.writeInt16LE(sample, 2 * index)
  return bytes
}
