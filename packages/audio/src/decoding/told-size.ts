import type { ForeignContainer } from './sniff.ts'

/** Sizes from here on say that the writer could not know the end. */
const UNKNOWN_MIN = 0x7fff_0000

/** The object of an ASF file that has its size, and how far into it that is. */
const ASF_PROPERTIES = Buffer.from('a1dcab8c47a9cf118ee400c00c205365', 'hex')
const ASF_SIZE_AT = 40
const ASF_FLAGS_AT = 88

/**
 * The bytes that a file says it has, for containers whose end ffmpeg does not miss.
 * @returns undefined where it does not say
 */
export function toldSize(bytes: Uint8Array, container: ForeignContainer): number | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (container === 'aiff' || container === 'rifx') return iffSize(file)
  if (container === 'caf') return cafSize(file)
  return container === 'wma' ? asfSize(file) : undefined
}

/** The one chunk around all others. */
function iffSize(file: Buffer): number | undefined {
  if (file.length < 8) return undefined
  const size = file.readUInt32BE(4)
  return size === 0 || size >= UNKNOWN_MIN ? undefined : size + 8
}

/** Chunks behind 8 bytes, each with 12 bytes before it; -1 lasts to the end. */
function cafSize(file: Buffer): number | undefined {
  let at = 8
  while (at + 12 <= file.length) {
    const size = Number(file.readBigInt64BE(at + 4))
    if (size < 0) return undefined
    at += 12 + size
  }
  return at
}

/** Recorders that are cut off leave it as a broadcast, or as none. */
function asfSize(file: Buffer): number | undefined {
  const at = file.subarray(0, 65_536).indexOf(ASF_PROPERTIES)
  if (at < 0 || at + ASF_FLAGS_AT + 4 > file.length) return undefined
  const broadcast = (file.readUInt32LE(at + ASF_FLAGS_AT) & 1) === 1
  const size = Number(file.readBigUInt64LE(at + ASF_SIZE_AT))
  return broadcast || size === 0 ? undefined : size
}
