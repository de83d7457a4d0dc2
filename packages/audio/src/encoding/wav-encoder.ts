import type { AudioEncoder } from './audio-encoder.ts'
import { littleEndian } from './pcm-encoder.ts'
import { wavHead } from './wav-head.ts'

/** RIFF WAVE, s16 at the rate of what comes. Its head does not know how long it will be. */
export class WavEncoder implements AudioEncoder {
  readonly #rate: number
  #begun = false

  /** @param rate in Hz */
  constructor(rate: number) {
    this.#rate = rate
  }

  encode(samples: Int16Array): Uint8Array {
    return Buffer.concat([this.#begin(), littleEndian(samples)])
  }

  finish(): Uint8Array {
    return this.#begin()
  }

  #begin(): Uint8Array {
    if (this.#begun) return new Uint8Array()
    this.#begun = true
    return wavHead({ rate: this.#rate })
  }
}
