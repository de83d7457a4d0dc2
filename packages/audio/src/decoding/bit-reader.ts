/** Reads bits from the highest of each byte on; what is behind the end reads as an error. */
export class BitReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  #at: number
  /** Bits of the byte at `#at` that were read. */
  #used = 0

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes
    this.#at = start
    this.#end = bytes.length
  }

  /** The next whole byte. */
  get byte(): number {
    return this.#used === 0 ? this.#at : this.#at + 1
  }

  /**
   * @param count up to 33
   * @throws EndOfBits
   */
  bits(count: number): number {
    let value = 0
    for (let left = count; left > 0; ) {
      if (this.#at >= this.#end) throw new EndOfBits()
      const here = Math.min(left, 8 - this.#used)
      const part = ((this.#bytes[this.#at] ?? 0) >> (8 - this.#used - here)) & ((1 << here) - 1)
      // beyond 32 bits, so no shift
      value = value * 2 ** here + part
      left -= here
      this.#used += here
      if (this.#used < 8) continue
      this.#used = 0
      this.#at++
    }
    return value
  }

  /** A number in two's complement. */
  signed(count: number): number {
    const value = this.bits(count)
    return value >= 2 ** (count - 1) ? value - 2 ** count : value
  }

  /** Zeros up to the next one. */
  zeros(): number {
    let count = 0
    for (;;) {
      if (this.#at >= this.#end) throw new EndOfBits()
      const left = ((this.#bytes[this.#at] ?? 0) << this.#used) & 255
      if (left !== 0) {
        const run = Math.clz32(left) - 24
        this.#used += run + 1
        if (this.#used === 8) {
          this.#used = 0
          this.#at++
        }
        return count + run
      }
      count += 8 - this.#used
      this.#used = 0
      this.#at++
    }
  }

  align(): void {
    this.#at = this.byte
    this.#used = 0
  }
}

/** There are no more bits. */
export class EndOfBits extends Error {
  override readonly name = 'EndOfBits'

  constructor() {
    super('it ends within a frame')
  }
}
