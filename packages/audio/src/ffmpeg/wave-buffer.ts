import { SAMPLE_RATE } from '../audio-limits.ts'
import { wavHead } from '../encoding/wav-head.ts'
import { PcmLength, SAMPLE_BYTES } from './pcm-length.ts'

const HEAD_BYTES = wavHead({ rate: SAMPLE_RATE }).length

/** Grown by doubling: the first minute. */
const FIRST_BYTES = HEAD_BYTES + 60 * SAMPLE_RATE * SAMPLE_BYTES

/** Collects samples of 16 bits, of one channel at 16 kHz, as a wave file. */
export class WaveBuffer {
  readonly #length: PcmLength
  #bytes = new Uint8Array(HEAD_BYTES)
  #end = HEAD_BYTES

  constructor(secondsMax: number) {
    this.#length = new PcmLength(secondsMax)
  }

  /** @throws MeshError `invalid_request`: `too_long` */
  add(chunk: Uint8Array): void {
    this.#length.add(chunk)
    const end = this.#end + chunk.length
    if (end > this.#bytes.length) {
      const length = Math.min(Math.max(2 * this.#bytes.length, end, FIRST_BYTES), HEAD_BYTES + this.#length.bytesMax)
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
    const dataBytes = SAMPLE_BYTES * this.#length.end()
    const file = new Uint8Array(this.#bytes.buffer.transfer(HEAD_BYTES + dataBytes))
    file.set(wavHead({ rate: SAMPLE_RATE, dataBytes }))
    return file
  }
}
