/** For each byte the remainder of it divided by a polynomial. */
function tableOf(polynomial: number, bits: number): Uint16Array {
  const top = 1 << (bits - 1)
  const mask = (1 << bits) - 1
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let rest = byte << (bits - 8)
    for (let bit = 0; bit < 8; bit++) rest = (rest & top) === 0 ? rest << 1 : (rest << 1) ^ polynomial
    return rest & mask
  })
}

const table8 = tableOf(0x07, 8)
const table16 = tableOf(0x8005, 16)

/** Of the head of a FLAC frame: x⁸ + x² + x + 1. */
export function crc8(bytes: Uint8Array, start: number, end: number): number {
  let rest = 0
  for (let at = start; at < end; at++) rest = table8[rest ^ (bytes[at] ?? 0)] ?? 0
  return rest
}

/** Of a FLAC frame: x¹⁶ + x¹⁵ + x² + 1. */
export function crc16(bytes: Uint8Array, start: number, end: number): number {
  let rest = 0
  for (let at = start; at < end; at++) {
    rest = ((rest << 8) & 0xffff) ^ (table16[(rest >> 8) ^ (bytes[at] ?? 0)] ?? 0)
  }
  return rest
}
