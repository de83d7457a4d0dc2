/** Decodes what this package encodes: one channel, fixed predictors, one Rice part. By RFC 9639, and not by the encoder. */
export function decodeFlac(file: Buffer): { rate: number; samples: Int16Array } {
  if (file.toString('latin1', 0, 4) !== 'fLaC') throw new Error('no FLAC')
  const rate = (file.readUInt32BE(18) >>> 12) & 0xf_ffff
  const samples: number[] = []
  let bit = 8 * 42
  const read = (count: number): number => {
    let value = 0
    for (let index = 0; index < count; index++, bit++)
      value = 2 * value + (((file[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1)
    return value
  }
  const signed = (count: number): number => {
    const value = read(count)
    return value >= 2 ** (count - 1) ? value - 2 ** count : value
  }
  for (let frame = 0; bit / 8 < file.length; frame++) {
    if (read(16) !== 0xfff8) throw new Error(`frame ${frame} has no sync code`)
    const size = read(4)
    if (read(12) !== 0b0000_0000_1000) throw new Error('another rate, channel or width')
    if (codedNumber(read) !== frame) throw new Error('frames out of order')
    const count = size === 0b0111 ? read(16) + 1 : 4096
    read(8)
    const kind = read(8)
    const order = (kind >> 1) & 0b111
    if (kind >> 4 !== 1) throw new Error('no fixed predictor')
    const block = Array.from({ length: order }, () => signed(16))
    if (read(6) !== 0) throw new Error('another coding')
    const rice = read(4)
    const weights = [[], [1], [2, -1], [3, -3, 1], [4, -6, 4, -1]][order] ?? []
    while (block.length < count) {
      let zeros = 0
      while (read(1) === 0) zeros++
      const folded = zeros * 2 ** rice + read(rice)
      const rest = folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2
      block.push(weights.reduce((sum, weight, back) => sum + weight * (block.at(-1 - back) ?? 0), rest))
    }
    samples.push(...block)
    bit = 8 * Math.ceil(bit / 8) + 16
  }
  return { rate, samples: Int16Array.from(samples) }
}

function codedNumber(read: (count: number) => number): number {
  const first = read(8)
  if (first < 0x80) return first
  let more = 0
  while (first & (0x40 >> more)) more++
  let value = first & (0x3f >> more)
  for (let index = 0; index < more; index++) value = 64 * value + (read(8) & 0x3f)
  return value
}
