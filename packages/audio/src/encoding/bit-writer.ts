/** Writes numbers of any count of bits, the highest first. */
export class BitWriter {
  #bytes: Uint8Array
  #bits = 0

  constructor(bytesGuess = 4096) {
    this.#bytes = new Uint8Array(bytesGuess)
  }

  /** @param count at most 32 */
  write(value: number, count: number): void {
    for (let bit = count - 1; bit >= 0; bit--) {
      const at = this.#bits >>> 3
      if (at >= this.#bytes.length) this.#grow()
      if ((value >>> bit) & 1) this.#bytes[at] = (this.#bytes[at] ?? 0) | (0x80 >>> (this.#bits & 7))
      this.#bits++
    }
  }

  /** So many zeros, and a one. */
  unary(zeros: number): void {
    for (let left = zeros; left > 0; left -= 32) this.write(0, Math.min(32, left))
    this.write(1, 1)
  }

  /** All that was written, the last byte filled up with zeros. */
  bytes(): Uint8Array {
    return this.#bytes.slice(0, Math.ceil(this.#bits / 8))
  }

  #grow(): void {
    const bytes = new Uint8Array(2 * this.#bytes.length)
    bytes.set(this.#bytes)
    this.#bytes = bytes
  }
}
