export interface WavHeadInit {
  /** Samples a second. */
  readonly rate: number
  /** Default 1. */
  readonly channels?: number
  /** Bytes of samples that follow; left out where they are still being made. */
  readonly dataBytes?: number
}

const HEAD_BYTES = 44

/** What streams write in place of a size. */
const UNKNOWN_SIZE = 0xffff_ffff

/** The head of a wave file of 16-bit integers, the lower byte first; its samples follow. */
export function wavHead({ rate, channels = 1, dataBytes }: WavHeadInit): Uint8Array<ArrayBuffer> {
  const head = Buffer.alloc(HEAD_BYTES)
  head.write('RIFF', 0, 'latin1')
  head.writeUInt32LE(dataBytes === undefined ? UNKNOWN_SIZE : dataBytes + HEAD_BYTES - 8, 4)
  head.write('WAVEfmt ', 8, 'latin1')
  head.writeUInt32LE(16, 16)
  // integers
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(channels, 22)
  head.writeUInt32LE(rate, 24)
  head.writeUInt32LE(rate * channels * 2, 28)
  head.writeUInt16LE(channels * 2, 32)
  head.writeUInt16LE(16, 34)
  head.write('data', 36, 'latin1')
  head.writeUInt32LE(dataBytes ?? UNKNOWN_SIZE, 40)
  return new Uint8Array(head)
}

/** Writes the lengths into a whole file that begins with {@link wavHead}, in place. */
export function completeWav(file: Uint8Array): void {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  view.setUint32(4, file.byteLength - 8, true)
  view.setUint32(40, file.byteLength - HEAD_BYTES, true)
}
