import { crc8, crc16 } from '../../src/decoding/flac-checksums.ts'

/** A FLAC file of silence at 16 kHz: 13 bytes for each 4 seconds. */
export function flacBomb(frames: number): Uint8Array<ArrayBuffer> {
  const info = Buffer.alloc(34)
  // 16,000 Hz, one channel, 16 bits, a total that is not told
  info.writeUInt32BE((16_000 << 12) | (15 << 4), 10)
  const head = Uint8Array.of(0xff, 0xf8, 0x75, 0x08, 0, 0xff, 0xfe)
  const body = Uint8Array.of(...head, crc8(head, 0, head.length), 0, 0, 0)
  const sum = crc16(body, 0, body.length)
  const frame = Uint8Array.of(...body, sum >> 8, sum & 255)
  const lead = Buffer.from([...Buffer.from('fLaC'), 0x80, 0, 0, 34])
  return new Uint8Array(Buffer.concat([lead, info, ...Array.from({ length: frames }, () => frame)]))
}
