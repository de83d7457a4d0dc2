/** `capture_pattern`, and where its numbers stand, of RFC 3533, section 6. */
const CAPTURE = 'OggS'
const HEADER_BYTES = 27
const FIRST_PAGE = 2
const LAST_PAGE = 4

/** Of RFC 3533: x^32 + x^26 + x^23 + x^22 + x^16 + x^12 + x^11 + x^10 + x^8 + x^7 + x^5 + x^4 + x^2 + x + 1. */
const POLYNOMIAL = 0x04c1_1db7

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000_0000 ? (crc << 1) ^ POLYNOMIAL : crc << 1
  return crc >>> 0
})

/** Writes packets as the pages of one Ogg stream, each packet whole within its page. */
export class OggPages {
  readonly #serial: number
  #sequence = 0

  /** @param serial tells the stream apart from others in a file */
  constructor(serial: number) {
    this.#serial = serial
  }

  /**
   * One page.
   *
   * @param packets each shorter than 65,025 bytes, all together in 255 segments at most
   * @param granule samples up to the end of the last packet
   */
  page(packets: readonly Uint8Array[], granule: number, { last = false } = {}): Uint8Array {
    const lacing = packets.flatMap(({ length }) => [
      ...Array.from({ length: Math.floor(length / 255) }, () => 255),
      length % 255
    ])
    const header = Buffer.alloc(HEADER_BYTES + lacing.length)
    header.write(CAPTURE, 0, 'latin1')
    header[5] = (this.#sequence === 0 ? FIRST_PAGE : 0) | (last ? LAST_PAGE : 0)
    header.writeBigInt64LE(BigInt(granule), 6)
    header.writeUInt32LE(this.#serial, 14)
    header.writeUInt32LE(this.#sequence++, 18)
    header[26] = lacing.length
    header.set(lacing, HEADER_BYTES)
    const page = Buffer.concat([header, ...packets])
    page.writeUInt32LE(checksum(page), 22)
    return page
  }
}

function checksum(page: Uint8Array): number {
  let crc = 0
  for (const byte of page) crc = ((crc << 8) ^ (crcTable[((crc >>> 24) ^ byte) & 0xff] ?? 0)) >>> 0
  return crc
}
