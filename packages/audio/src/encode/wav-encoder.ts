import type { AudioEncoder } from './audio-encoder.ts'
import { littleEndian } from './pcm-encoder.ts'

const HEADER_BYTES = 44

/** What stands for a length that is not known yet: readers go on to the end. */
const UNKNOWN_BYTES = 0xffff_ffff

/** RIFF WAVE, s16 at the rate of what comes. Its header does not know how long it will be. */
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
    const header = Buffer.alloc(HEADER_BYTES)
    header.write('RIFF', 0, 'latin1')
    header.writeUInt32LE(UNKNOWN_BYTES, 4)
    header.write('WAVEfmt ', 8, 'latin1')
    header.writeUInt32LE(16, 16)
    // whole numbers, one channel
    header.writeUInt16LE(1, 20)
    header.writeUInt16LE(1, 22)
    header.writeUInt32LE(this.#rate, 24)
    header.writeUInt32LE(2 * this.#rate, 28)
    header.writeUInt16LE(2, 32)
    header.writeUInt16LE(16, 34)
    header.write('data', 36, 'latin1')
    header.writeUInt32LE(UNKNOWN_BYTES, 40)
    return header
  }
}

/** Writes the lengths into a whole file of {@link WavEncoder}, in place. */
export function completeWav(file: Uint8Array): void {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  view.setUint32(4, file.byteLength - 8, true)
  view.setUint32(40, file.byteLength - HEADER_BYTES, true)
}
