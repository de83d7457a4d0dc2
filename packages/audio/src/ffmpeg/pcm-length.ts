import { audioInvalid } from '../audio-invalid.ts'
import { SAMPLE_RATE } from '../audio-limits.ts'

export const SAMPLE_BYTES = 2

/** Counts samples of 16 bits, of one channel at 16 kHz, as their bytes come, and keeps none of them. */
export class PcmLength {
  readonly #secondsMax: number
  readonly #bytesMax: number
  #bytes = 0

  constructor(secondsMax: number) {
    this.#secondsMax = secondsMax
    this.#bytesMax = SAMPLE_BYTES * Math.floor(secondsMax * SAMPLE_RATE)
  }

  /** The most that may come. */
  get bytesMax(): number {
    return this.#bytesMax
  }

  /** @throws MeshError `invalid_request`: `too_long` */
  add({ length }: Uint8Array): void {
    if (this.#bytes + length > this.#bytesMax) {
      throw audioInvalid('too_long', `the audio is longer than ${this.#secondsMax} seconds`)
    }
    this.#bytes += length
  }

  /**
   * @returns how many samples there are
   * @throws MeshError `invalid_request`: `empty`
   */
  end(): number {
    // half a sample is none
    const samples = Math.floor(this.#bytes / SAMPLE_BYTES)
    if (samples === 0) throw audioInvalid('empty', 'the audio has no samples')
    return samples
  }
}
