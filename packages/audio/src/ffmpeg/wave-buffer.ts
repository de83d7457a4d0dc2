import { audioInvalid } from '../audio-invalid.ts'
import { SAMPLE_RATE } from '../audio-limits.ts'
import { wavHead } from '../encoding/wav-head.ts'

const SAMPLE_BYTES = 2

const HEAD_BYTES = wavHead({ rate: SAMPLE_RATE }).length

/** Grown by doubling: the first minute. */
const FIRST_BYTES = HEAD_BYTES + 60 * SAMPLE_RATE * SAMPLE_BYTES

/** Collects samples of 16 bits, of one channel at 16 kHz, as a wave file. */
export class WaveBuffer {
  readonly #secondsMax: number
  #bytes = new Uint8Array(FIRST_BYTES)
  #end = HEAD_BYTES

  constructor(secondsMax: number) {
    this.#secondsMax = secondsMax
  }

  /** @throws MeshError `invalid_request`: `too_long` */
  add(chunk: Uint8Array): void {
    const end = this.#end + chunk.length
    const endMax = HEAD_BYTES + SAMPLE_BYTES * Math.floor(this.#secondsMax * SAMPLE_RATE)
    if (end > endMax) throw audioInvalid('too_long', `the audio is longer than ${this.#secondsMax} seconds`)
    if (end > this.#bytes.length) {
      const length = Math.min(Math.max(2 * this.#bytes.length, end), endMax)
      this.#bytes = new Uint8Array(this.#bytes.buffer.transfer(length))
    }
    this.#bytes.set(chunk, this.#end)
    this.#end = end
  }

  /**
   * @returns the whole file; the buffer is of no use afterwards
   * @throws MeshError `invalid_request`: `empty`
   */
  end(): Uint8Array<ArrayBuffer> {
    // half a sample is none
    const dataBytes = this.#end - HEAD_BYTES - ((this.#end - HEAD_BYTES) % SAMPLE_BYTES)
    if (dataBytes === 0) throw audioInvalid('empty', 'the audio has no samples')
    const file = new Uint8Array(this.#bytes.buffer.transfer(HEAD_BYTES + dataBytes))
    file.set(wavHead({ rate: SAMPLE_RATE, dataBytes }))
    return file
  }
}
