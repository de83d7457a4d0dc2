/** The packets of an Ogg stream whose packets lie whole within pages. @throws Error for a page whose checksum is wrong */
export function packetsOf(file: Buffer): { packets: Uint8Array[]; granule: number; pages: number } {
  const packets: Uint8Array[] = []
  let granule = 0
  let pages = 0
  for (let at = 0; at < file.length; pages++) {
    if (file.toString('latin1', at, at + 4) !== 'OggS') throw new Error(`no page at ${at}`)
    const count = file[at + 26] ?? 0
    const lacing = file.subarray(at + 27, at + 27 + count)
    const bytes = lacing.reduce((sum, length) => sum + length, 0)
    const page = Buffer.from(file.subarray(at, at + 27 + count + bytes))
    const told = page.readUInt32LE(22)
    page.writeUInt32LE(0, 22)
    if (crc(page) !== told) throw new Error(`the checksum of page ${pages} is wrong`)
    granule = Number(page.readBigInt64LE(6))
    let start = 27 + count
    let length = 0
    for (const part of lacing) {
      length += part
      if (part === 255) continue
      packets.push(Uint8Array.from(page.subarray(start, start + length)))
      start += length
      length = 0
    }
    at += page.length
  }
  return { packets, granule, pages }
}

function crc(bytes: Uint8Array): number {
  let sum = 0n
  for (const byte of bytes) {
    sum ^= BigInt(byte) << 24n
    for (let bit = 0; bit < 8; bit++) sum = sum & 0x8000_0000n ? ((sum << 1n) ^ 0x04c1_1db7n) & 0xffff_ffffn : sum << 1n
  }
  return Number(sum)
}
